//go:build lab

package lab

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// inconclusive is what could not be shown, with the reason. The run then fails, and prints lines by which test/gotest
// recognizes that.
var inconclusive list

// list is a list of lines to which several tests add.
type list struct {
	mu    sync.Mutex
	lines []string
}

func (l *list) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// TestMain prints what the tests found as tables in Markdown, for docs/lvs.md.
func TestMain(m *testing.M) {
	code := m.Run()
	wayTable.print(os.Stdout)
	costTable.print(os.Stdout)
	for _, line := range inconclusive.lines {
		fmt.Println("inconclusive:", line)
	}
	if code == 0 && len(inconclusive.lines) > 0 {
		code = 1
	}
	os.Exit(code)
}

// table is a table to which several tests add rows.
type table struct {
	columns []string

	mu   sync.Mutex
	rows []map[string]string
}

// add adds a row: a text for each column.
func (s *table) add(row map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, row)
}

// print writes the table with aligned columns. It writes nothing if there is no row.
func (s *table) print(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rows) == 0 {
		return
	}
	widths := make([]int, len(s.columns))
	for i, c := range s.columns {
		widths[i] = utf8.RuneCountInString(c)
		for _, r := range s.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r[c]))
		}
	}
	line := func(cell func(i int) string) {
		for i, width := range widths {
			text := cell(i)
			fmt.Fprintf(w, "| %s%s ", text, strings.Repeat(" ", width-utf8.RuneCountInString(text)))
		}
		fmt.Fprintln(w, "|")
	}
	line(func(i int) string { return s.columns[i] })
	line(func(i int) string { return strings.Repeat("-", widths[i]) })
	for _, r := range s.rows {
		line(func(i int) string { return r[s.columns[i]] })
	}
	fmt.Fprintln(w)
}

// took formats a duration with two digits.
func took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
