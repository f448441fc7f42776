package terminal

import (
	"io"
	"strings"
)

// gap is the space between two columns.
const gap = 2

// Cell is one text of a table. The text must be printable.
type Cell struct {
	Text   string
	Colour Colour
}

// Text returns a cell without colour.
func Text(text string) Cell { return Cell{Text: text} }

// Coloured returns a cell in a colour.
func Coloured(c Colour, text string) Cell { return Cell{Text: text, Colour: c} }

// Table is rows of cells in columns, below a row of heads.
type Table struct {
	heads []Cell
	rows  []row
}

// row is the cells of a row, and the notes below it.
type row struct {
	cells []Cell
	notes []string
}

// NewTable returns a table with these heads and no rows.
func NewTable(heads ...string) *Table {
	t := new(Table)
	for _, head := range heads {
		t.heads = append(t.heads, Text(head))
	}
	return t
}

// Add adds a row, which has a cell for each head. Notes are lines below it, which
// may be painted.
func (t *Table) Add(cells []Cell, notes ...string) {
	t.rows = append(t.rows, row{cells, notes})
}

// Empty reports whether the table has no rows.
func (t *Table) Empty() bool { return len(t.rows) == 0 }

// Write writes the table. A table that is too wide for the screen is written in the
// first of these ways that fits: with its long cells wrapped at spaces; with the last
// column below the rows; as lists of cells.
func (t *Table) Write(w io.Writer, s Screen) error {
	var b strings.Builder
	last := len(t.heads) - 1
	natural, least := t.widths()
	wrapped := make([]int, len(natural))
	for i := range natural {
		wrapped[i] = max(least[i], min(natural[i], minColumn))
	}
	wrapped[last] = max(least[last], min(natural[last], minLastColumn))
	switch {
	case s.Width == 0 || total(natural) <= s.Width:
		t.writeColumns(&b, s, natural)
	case total(wrapped) <= s.Width:
		t.writeColumns(&b, s, shrink(natural, wrapped, s.Width))
	case total(least[:last]) <= s.Width:
		t.writeColumns(&b, s, shrink(natural[:last], least[:last], s.Width))
	default:
		t.writeLists(&b, s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// widths returns the width of each column, and the least to which its cells can be
// wrapped.
func (t *Table) widths() (natural, least []int) {
	natural, least = make([]int, len(t.heads)), make([]int, len(t.heads))
	for _, r := range append([]row{{cells: t.heads}}, t.rows...) {
		for i, c := range r.cells {
			natural[i] = max(natural[i], visible(c.Text))
			least[i] = max(least[i], longestWord(c.Text))
		}
	}
	return natural, least
}

// total returns the width of a table with such columns.
func total(widths []int) int {
	sum := gap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// shrink makes the columns that can be made narrower narrower, the widest first, until
// they fit. The least widths must fit.
func shrink(natural, least []int, width int) []int {
	widths := append([]int(nil), natural...)
	for total(widths) > width {
		widest := -1
		for i := range widths {
			if widths[i] > least[i] && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		widths[widest]--
	}
	return widths
}

// writeColumns writes the table with columns of these widths. Cells beyond them stand
// below their rows.
func (t *Table) writeColumns(b *strings.Builder, s Screen, widths []int) {
	writeRow(b, s, t.heads[:len(widths)], widths)
	for _, r := range t.rows {
		writeRow(b, s, r.cells[:len(widths)], widths)
		for _, c := range r.cells[len(widths):] {
			for _, line := range wrap(c.Text, s.Width-len(indent)) {
				if line != "" {
					b.WriteString(indent + s.Paint(c.Colour, line) + "\n")
				}
			}
		}
		writeNotes(b, s, r.notes)
	}
}

func writeRow(b *strings.Builder, s Screen, cells []Cell, widths []int) {
	lines := make([][]string, len(cells))
	height := 1
	for i, c := range cells {
		lines[i] = wrap(c.Text, widths[i])
		height = max(height, len(lines[i]))
	}
	for y := range height {
		var line strings.Builder
		for i, c := range cells {
			var text string
			if y < len(lines[i]) {
				text = lines[i][y]
			}
			line.WriteString(s.Paint(c.Colour, text))
			line.WriteString(strings.Repeat(" ", max(0, widths[i]-visible(text))+gap))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

func writeNotes(b *strings.Builder, s Screen, notes []string) {
	for _, note := range notes {
		width := s.Width
		if width > 0 {
			width = max(1, width-2*len(indent))
		}
		b.WriteString(indent + strings.Join(wrap(note, width), "\n"+indent+indent) + "\n")
	}
}

// writeLists writes each row as a list of its cells, each behind its head.
func (t *Table) writeLists(b *strings.Builder, s Screen) {
	width := 0
	for _, head := range t.heads {
		width = max(width, visible(head.Text))
	}
	for i, r := range t.rows {
		if i > 0 {
			b.WriteByte('\n')
		}
		for j, c := range r.cells {
			if c.Text != "" {
				text := max(1, s.Width-width-gap)
				writeRow(b, s, []Cell{t.heads[j], c}, []int{width, text})
			}
		}
		writeNotes(b, s, r.notes)
	}
}
