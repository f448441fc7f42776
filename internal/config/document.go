package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	// maxNesting is how deep mappings and lists may be nested. The deepest
	// configuration needs 5. The parser's memory grows with the square of the
	// depth.
	maxNesting = 16
	// maxEntries is how many keys and list items a file may have, counted again at
	// each use of an anchor. The parser's time grows with the square of the keys of
	// a mapping, and uses of anchors multiply.
	maxEntries = 20_000
	// maxTokens allows five tokens for each entry: key, colon, anchor, value, comma.
	maxTokens = 5 * maxEntries
	// maxLines bounds the time of the lexer, which grows with the square of the
	// lines of a block of text.
	maxLines = 20_000
)

// document returns the one document of the file, nil if it is empty or cannot be
// parsed.
func (r *reader) document() ast.Node {
	if len(r.lines) > maxLines+1 { // the last one is empty, after the last line end
		r.failAt(maxLines+1, 1, nil, "the file has too many lines: use %d at most", maxLines)
		return nil
	}
	if !r.isText() {
		return nil
	}
	// Use r.lines, not the file's bytes: the lexer miscounts lines that end in CR LF.
	tokens := lexer.Tokenize(strings.Join(r.lines, "\n"))
	if !r.isBounded(tokens) {
		return nil
	}
	// The reader finds duplicate keys later, with a better error.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.failSyntax(err)
		return nil
	}
	body := r.only(file.Docs)
	if !r.link(body) {
		return nil
	}
	return body
}

// only returns the body of the one document that a file may have.
func (r *reader) only(docs []*ast.DocumentNode) ast.Node {
	var body ast.Node
	for i, d := range docs {
		switch _, directive := d.Body.(*ast.DirectiveNode); {
		case directive:
			r.fail(d.Body, nil, "this is a directive: remove the line")
			return nil
		case i > 0 && d.Start != nil:
			r.failAt(d.Start.Position.Line, d.Start.Position.Column, nil, secondDocument)
			return nil
		case i > 0 && d.Body != nil:
			r.fail(d.Body, nil, secondDocument)
			return nil
		case i == 0:
			body = d.Body
		}
	}
	return body
}

const secondDocument = "a second document starts here, but a file has one: remove this line, or the rest of the file"

// isText checks that the file has only characters that YAML allows, and that no line
// is indented by tabs. The parser would accept some of these, or report another
// problem.
func (r *reader) isText() bool {
	for number, line := range r.lines {
		indent := true
		for i, column := 0, 1; i < len(line); column++ {
			c, size := utf8.DecodeRuneInString(line[i:])
			indent = indent && (c == ' ' || c == '\t')
			wrong := ""
			switch {
			case c == utf8.RuneError && size == 1:
				wrong = "this is not UTF-8: save the file as UTF-8"
			case c < ' ' && c != '\t' || c == 0x7f:
				wrong = fmt.Sprintf("this is the control character %U: remove it", c)
			case c == '\t' && indent:
				wrong = "a tab indents this line: use spaces"
			}
			if wrong != "" {
				r.failAt(number+1, column, nil, "%s", wrong)
				return false
			}
			i += size
		}
	}
	return true
}

// isBounded checks that the tokens are within the limits for the parser.
func (r *reader) isBounded(tokens token.Tokens) bool {
	var blocks []int // start columns of the open block mappings and lists
	flows := 0       // open brackets
	entries, line := 0, 0
	for i, t := range tokens {
		switch t.Type {
		case token.MappingValueType, token.CollectEntryType:
			entries++
		case token.SequenceEntryType, token.MappingKeyType:
			entries++
			blocks = open(blocks, t)
		case token.MappingStartType, token.SequenceStartType:
			flows++
		case token.MappingEndType, token.SequenceEndType:
			flows = max(0, flows-1)
		}
		if flows == 0 && t.Position.Line > line {
			blocks = open(blocks, t)
		}
		line = t.Position.Line
		switch {
		case len(blocks)+flows > maxNesting:
			r.failAt(t.Position.Line, t.Position.Column, nil, "this is nested more than %d deep: no key needs more than 5", maxNesting)
			return false
		case entries > maxEntries || i >= maxTokens:
			r.failAt(t.Position.Line, t.Position.Column, nil, "the file has too many keys: use %d at most", maxEntries)
			return false
		}
	}
	return true
}

// open adds the column of a token that begins a block, and removes the blocks that it
// ends.
func open(blocks []int, t *token.Token) []int {
	for len(blocks) > 0 && blocks[len(blocks)-1] >= t.Position.Column {
		blocks = blocks[:len(blocks)-1]
	}
	return append(blocks, t.Position.Column)
}

// failSyntax adds a problem that the parser found.
func (r *reader) failSyntax(err error) {
	line, column, message := 1, 1, err.Error()
	if e := yaml.Error(nil); errors.As(err, &e) {
		message = e.GetMessage()
		if t := e.GetToken(); t != nil {
			line, column = t.Position.Line, t.Position.Column
		}
	}
	r.failAt(line, column, nil, "%s: check the indentation, quotes and brackets here and above", message)
}
