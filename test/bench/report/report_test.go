package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDigits(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 1: "1", 0.123456: "0.123", 0.8: "0.8", 12.34: "12.3", 150: "150", 1234.5: "1,234", 1234567: "1,234,567", -2500: "-2,500", 0.00012: "0.0001",
	} {
		if got := Digits(value); got != want {
			t.Errorf("Digits(%v): got %q, want %q", value, got, want)
		}
	}
}

func TestGoalHolds(t *testing.T) {
	for _, tt := range []struct {
		goal  Goal
		value float64
		want  bool
	}{
		{Goal{}, 7, true},
		{Goal{AtLeast: 0.85}, 0.85, true},
		{Goal{AtLeast: 0.85}, 0.84, false},
		{Goal{AtMost: 30}, 30, true},
		{Goal{AtMost: 30}, 31, false},
	} {
		if got := tt.goal.Holds(tt.value); got != tt.want {
			t.Errorf("%+v holds with %v: got %v, want %v", tt.goal, tt.value, got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	got := Table([]Line{
		{What: "a|b", Unit: "×", Goal: Goal{AtLeast: 0.85}, Outcome: Met, Value: 0.9, Detail: "9 beside 10"},
		{What: "c", Unit: "%", Goal: Goal{AtMost: 0.2}, Outcome: NotMet, Value: 0.3},
		{What: "c2", Unit: "×", Goal: Goal{AtMost: 1}, Outcome: NotMet, Value: 1.00234},
		{What: "d", Value: 5},
		{What: "e", Goal: Goal{AtMost: 1}, Outcome: LeftOut, Value: math.NaN(), Reason: "there is no C compiler"},
		{What: "f", Goal: Goal{AtMost: 1}, Outcome: Inconclusive, Value: 2, Detail: "in numbers", Reason: "others used 90 % of a core"},
	})
	want := `| what | measured | goal | | in numbers |
|---|---|---|---|---|
| a\|b | 0.9 × | ≥ 0.85 × | met | 9 beside 10 |
| c | 0.3 % | ≤ 0.2 % | **not met** |  |
| c2 | 1.00234 × | ≤ 1 × | **not met** |  |
| d | 5 | – | – |  |
| e | – | ≤ 1 | left out | there is no C compiler |
| f | 2 | ≤ 1 | inconclusive | in numbers; others used 90 % of a core |
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// examples are plots of each kind, with what makes them difficult.
var examples = []Plot{
	&Bars{Name: "bars", Title: "Answers <a second>", Unit: "thousands", Series: []string{"a", "b"}, Groups: []Group{{"one", []float64{1, 0}}, {"two", []float64{0, 300}}}},
	&Lines{Name: "lines", Title: "Growth", X: "x", Y: "y", Series: []Series{{"a & b", []Point{{1, 0.01}, {1000, 90}}}, {"one point", []Point{{10, 3}}}, {"none", nil}}},
	&Lines{Name: "flat", Title: "Flat", Series: []Series{{"a", []Point{{5, 7}}}}, Ticks: []float64{5}, Labels: []string{"p50"}},
	&Lines{Name: "nothing", Title: "Nothing"},
}

func TestPlotsAreWellFormed(t *testing.T) {
	for _, p := range examples {
		svg := p.SVG()
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v\n%s", p.File(), err, svg)
			}
		}
		for _, bad := range []string{"NaN", "Inf"} {
			if strings.Contains(svg, bad) {
				t.Errorf("%s has a %s:\n%s", p.File(), bad, svg)
			}
		}
	}
}

// A legend that is too long for one line goes on in the next.
func TestLegendWraps(t *testing.T) {
	names := []string{strings.Repeat("a", 60), strings.Repeat("b", 60), "c"}
	var lines []int
	for i, at := range legendPlaces(names) {
		lines = append(lines, at.line)
		if right := at.x + 6.6*float64(len(names[i])); right > width {
			t.Errorf("%s ends at %v, beyond %d", names[i], right, width)
		}
	}
	if !slices.Equal(lines, []int{0, 1, 1}) || legendExtra(names) != legendLine {
		t.Errorf("got the lines %v and %d more pixels, want 0, 1, 1 and %d", lines, legendExtra(names), legendLine)
	}
}

// Of two values the larger one is higher up, and further right.
func TestScale(t *testing.T) {
	s := newScale(300, 66)
	s.include(0.3)
	s.include(70)
	s.widen()
	if s.least != 0.2 || s.most != 100 {
		t.Errorf("got %v to %v, want 0.2 to 100", s.least, s.most)
	}
	if low, high := s.place(1), s.place(10); low <= high {
		t.Errorf("1 is at %v and 10 at %v, want 10 higher up", low, high)
	}
	if at := s.place(0.2); at != 300 {
		t.Errorf("the least value is at %v, want 300", at)
	}
}

func TestWriteReplacesFigures(t *testing.T) {
	page := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := os.WriteFile(page, []byte("# Title\n\n"+begin+"old\n"+end+"\nAfter.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it replaces its own figures
		if err := Write(page, "Measured.", []Line{{What: "x", Value: 1}}, examples[:1]); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Title\n\n" + begin + "\nMeasured.\n\n" + Table([]Line{{What: "x", Value: 1}}) +
		"\n![Answers <a second>, thousands](benchmarks/bars.svg)\n\n" + end + "\nAfter.\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(page), "benchmarks", "bars.svg")); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(page, []byte("# No place\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(page, "", nil, nil); err == nil {
		t.Error("a page without a place for the figures: got no error")
	}
}
