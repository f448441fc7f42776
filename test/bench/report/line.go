// Package report shows what was measured: as a table in Markdown, with the goals and
// whether they are met, and as plots in SVG.
package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Goal is a limit of what is measured. The zero Goal is none.
type Goal struct {
	AtLeast float64 // 0 = there is none
	AtMost  float64 // likewise
}

// Holds reports whether the value reaches the goal.
func (g Goal) Holds(value float64) bool {
	return (g.AtLeast == 0 || value >= g.AtLeast) && (g.AtMost == 0 || value <= g.AtMost)
}

func (g Goal) text(unit string) string {
	switch {
	case g.AtLeast > 0:
		return "≥ " + number(g.AtLeast, unit)
	case g.AtMost > 0:
		return "≤ " + number(g.AtMost, unit)
	}
	return "–"
}

// An Outcome is what a measurement says of its goal.
type Outcome int

const (
	// Shown is what has no goal.
	Shown Outcome = iota
	Met
	NotMet
	// Inconclusive is what was measured on a host that was too busy for it.
	Inconclusive
	// LeftOut is what could not be measured here, because a program is missing.
	LeftOut
)

// A Line is one line of the table.
type Line struct {
	What string
	Unit string // of the value and of the goal
	Goal Goal

	// What was measured.
	Outcome Outcome
	Value   float64 // NaN = nothing
	Detail  string  // the numbers from which the value comes
	Reason  string  // why it was left out, is inconclusive, or failed
}

func (l *Line) outcome() string {
	switch l.Outcome {
	case Met:
		return "met"
	case NotMet:
		return "**not met**"
	case Inconclusive:
		return "inconclusive"
	case LeftOut:
		return "left out"
	}
	return "–"
}

// measured returns the value, with more digits than others if it would else look like the
// goal that it misses.
func (l *Line) measured() string {
	text := number(l.Value, l.Unit)
	if !l.Goal.Holds(l.Value) && strings.HasSuffix(l.Goal.text(l.Unit), " "+text) {
		return strings.TrimSpace(strconv.FormatFloat(l.Value, 'g', 6, 64) + " " + l.Unit)
	}
	return text
}

// Table writes the lines as a table in Markdown.
func Table(lines []Line) string {
	var b strings.Builder
	b.WriteString("| what | measured | goal | | in numbers |\n|---|---|---|---|---|\n")
	for i := range lines {
		l := &lines[i]
		measured := "–"
		if !math.IsNaN(l.Value) {
			measured = l.measured()
		}
		detail := l.Detail
		if l.Reason != "" {
			detail = strings.TrimPrefix(detail+"; "+l.Reason, "; ")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", cell(l.What), measured, l.Goal.text(l.Unit), l.outcome(), cell(detail))
	}
	return b.String()
}

// cell returns text as it may stand in a cell.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ").Replace(text)
}

// number returns a value with its unit, with as many digits as mean something.
func number(value float64, unit string) string {
	return strings.TrimSpace(Digits(value) + " " + unit)
}

// Digits returns the value with three significant digits, and commas at thousands.
func Digits(value float64) string {
	if value == 0 || math.IsInf(value, 0) || math.IsNaN(value) {
		return strconv.FormatFloat(value, 'f', -1, 64)
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(math.Abs(value)))))
	text := strconv.FormatFloat(value, 'f', min(decimals, 4), 64)
	if decimals > 0 {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	for i := strings.IndexByte(text+".", '.') - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
