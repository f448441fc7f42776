package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The figures of a page stand between these lines. The rest of it is written by hand.
const (
	begin = "<!-- The figures begin here. make bench writes them. -->\n"
	end   = "<!-- The figures end here. -->\n"
)

// Write replaces the figures of a page in Markdown, and writes the plots beside it, into
// a directory with the name of the page. about says on which machine and of what the
// figures are.
func Write(page, about string, lines []Line, plots []Plot) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(old), begin)
	_, after, found2 := strings.Cut(rest, end)
	if !found || !found2 {
		return fmt.Errorf("%s has no place for the figures: it needs the lines %q and %q", page, begin, end)
	}
	directory := strings.TrimSuffix(page, filepath.Ext(page))
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(before + begin + "\n" + about + "\n\n" + Table(lines) + "\n")
	var failed error
	for _, p := range plots {
		file := filepath.Join(directory, p.File()+".svg")
		failed = errors.Join(failed, os.WriteFile(file, []byte(p.SVG()), 0o644))
		fmt.Fprintf(&b, "![%s](%s/%s.svg)\n\n", p.Alt(), filepath.Base(directory), p.File())
	}
	b.WriteString(end + after)
	return errors.Join(failed, os.WriteFile(page, []byte(b.String()), 0o644))
}
