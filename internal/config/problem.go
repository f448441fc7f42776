package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

const (
	// maxProblems is how many problems are reported at once.
	maxProblems = 10
	// maxExcerpt is how much of a line is shown, in characters.
	maxExcerpt = 100
)

// problem is a problem in a file. Lines and columns count from 1, columns
// in characters.
type problem struct {
	file         string
	line, column int
	path         path // of the problem, as far as there is one
	message      string
	excerpt      string // set by reader.err
}

// Error returns the problem in the form of compilers, which editors understand, and
// the line.
func (p problem) Error() string {
	message := p.message
	if len(p.path) > 0 {
		message = p.path.String() + ": " + message
	}
	return fmt.Sprintf("%s:%d:%d: %s\n%s", p.file, p.line, p.column, message, p.excerpt)
}

// fail adds a problem with a node. The message comes after the path, as in
// "PATH: is empty".
func (r *reader) fail(n ast.Node, at path, format string, args ...any) {
	n = r.plain(n)
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0].Key // a block mapping's own token is the first colon
	}
	position := n.GetToken().Position
	r.failAt(position.Line, position.Column, at, format, args...)
}

// failAt adds a problem at a position in the file. Of several problems at one
// position, as with an anchor that is used often, it keeps the first.
func (r *reader) failAt(line, column int, at path, format string, args ...any) {
	if slices.ContainsFunc(r.problems, func(p problem) bool { return p.line == line && p.column == column }) {
		return
	}
	r.problems = append(r.problems, problem{
		file: r.name, line: line, column: column, path: at,
		message: fmt.Sprintf(format, args...),
	})
}

// excerpt returns a line and a pointer to the column.
func (r *reader) excerpt(line, column int) string {
	var text []rune
	if line >= 1 && line <= len(r.lines) {
		text = []rune(r.lines[line-1])
	}
	pointer := min(max(column-1, 0), len(text))
	if skip := pointer - maxExcerpt/2; skip > 0 && len(text) > maxExcerpt {
		text, pointer = append([]rune("…"), text[skip:]...), maxExcerpt/2+1
	}
	if len(text) > maxExcerpt {
		text = append(text[:maxExcerpt:maxExcerpt], '…')
	}
	for i, c := range text {
		if c == '\t' {
			text[i] = ' '
		} else if !unicode.IsPrint(c) {
			text[i] = unicode.ReplacementChar // a terminal might interpret it
		}
	}
	return fmt.Sprintf("%8d | %s\n%8s | %*s", line, string(text), "", pointer+1, "^")
}

// err returns the problems in the order of the file, nil if there are none.
func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	var errs []error
	for _, p := range r.problems[:min(len(r.problems), maxProblems)] {
		p.excerpt = r.excerpt(p.line, p.column)
		errs = append(errs, p)
	}
	if more := len(r.problems) - maxProblems; more > 0 {
		errs = append(errs, fmt.Errorf("%s: and %d more", r.name, more))
	}
	return errors.Join(errs...)
}
