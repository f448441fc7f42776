package main

import (
	"strings"
	"unicode/utf8"
)

// cell is one text of a table, printable.
type cell struct {
	text   string
	colour colour
}

// row is one row of a table, and lines that stand beneath it.
type row struct {
	cells []cell
	notes []string
}

// table is rows whose cells stand below each other.
type table struct{ rows []row }

// heads begins a table whose columns have these heads.
func heads(texts ...string) *table {
	var cells []cell
	for _, text := range texts {
		cells = append(cells, cell{text: text})
	}
	return &table{rows: []row{{cells: cells}}}
}

// add adds a row.
func (t *table) add(cells []cell, notes ...string) { t.rows = append(t.rows, row{cells, notes}) }

// writeBeneath writes the table beneath another.
func (t *table) writeBeneath(o output) error {
	if _, err := o.out.Write([]byte("\n")); err != nil {
		return err
	}
	return t.write(o)
}

// write writes the table.
func (t *table) write(o output) error {
	widths := make([]int, len(t.rows[0].cells))
	for _, r := range t.rows {
		for i, c := range r.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	var b strings.Builder
	for _, r := range t.rows {
		var line strings.Builder
		for i, c := range r.cells {
			line.WriteString(o.paint(c.colour, c.text))
			line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
		for _, note := range r.notes {
			b.WriteString("    " + note + "\n")
		}
	}
	_, err := o.out.Write([]byte(b.String()))
	return err
}
