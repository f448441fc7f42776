package main

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/landmark-health/landmark/test/bench/report"
)

// A busy host never makes a goal look met, nor missed when the host may be the reason.
func TestOutcomes(t *testing.T) {
	const busy = "others used 90 % of a core"
	most := report.Goal{AtMost: 1}
	for name, tt := range map[string]struct {
		figure figure
		goal   report.Goal
		busy   string
		want   report.Outcome
	}{
		"amount holds":                            {amount(0.9, ""), most, "", report.Met},
		"amount holds on a busy host":             {amount(0.9, ""), most, busy, report.Met},
		"amount does not hold":                    {amount(1.1, ""), most, "", report.NotMet},
		"amount does not hold on a busy host":     {amount(1.1, ""), most, busy, report.Inconclusive},
		"ratio holds":                             {ratio([]float64{0.8, 0.9, 0.95}, ""), most, "", report.Met},
		"ratio does not hold":                     {ratio([]float64{1.1, 1.2, 1.3}, ""), most, "", report.NotMet},
		"ratio does not hold on a busy host":      {ratio([]float64{1.1, 1.2, 1.3}, ""), most, busy, report.Inconclusive},
		"ratio that holds by chance":              {ratio([]float64{0.5, 0.6, 0.9, 1.6, 1.7}, ""), most, "", report.Inconclusive},
		"ratio that does not hold by chance":      {ratio([]float64{0.5, 0.6, 1.1, 1.6, 1.7}, ""), most, "", report.Inconclusive},
		"ratio close to the goal, of equal pairs": {ratio([]float64{0.98, 0.99, 0.99, 1.01, 1.02}, ""), most, "", report.Met},
		"no goal":                 {amount(7, ""), report.Goal{}, busy, report.Shown},
		"left out":                {missing("no C compiler"), most, "", report.LeftOut},
		"left out on a busy host": {missing("no C compiler"), most, busy, report.LeftOut},
		"failed":                  {failed(errors.New("refused")), most, "", report.NotMet},
		"failed on a busy host":   {failed(errors.New("refused")), most, busy, report.NotMet},
	} {
		l := report.Line{Goal: tt.goal}
		if tt.figure.fill(&l, tt.busy); l.Outcome != tt.want {
			t.Errorf("%s: got the outcome %d, want %d", name, l.Outcome, tt.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	all := []float64{5, 1, 4, 2, 3}
	for share, want := range map[float64]float64{0: 1, 0.25: 2, 0.5: 3, 0.75: 4, 0.999: 5, 1: 5} {
		if got := quantile(all, share); got != want {
			t.Errorf("quantile %v: got %v, want %v", share, got, want)
		}
	}
	if low, high := quartiles(all); low != 2 || high != 4 {
		t.Errorf("quartiles: got %v and %v, want 2 and 4", low, high)
	}
}

// The medians of five events in a row make a pair, and of those that are left.
func TestEventRatios(t *testing.T) {
	own := []float64{9, 2, 2, 2, 0, 3, 3}
	other := []float64{1, 1, 1, 7, 7, 6, 6}
	got := eventRatios(own, other, func(v float64) float64 { return v })
	if want := []float64{2, 0.5}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestVerdict(t *testing.T) {
	line := func(o report.Outcome) report.Line { return report.Line{What: "x", Outcome: o, Value: math.NaN()} }
	for _, tt := range []struct {
		outcomes []report.Outcome
		want     error
	}{
		{[]report.Outcome{report.Met, report.Shown, report.LeftOut}, nil},
		{[]report.Outcome{report.Met, report.Inconclusive}, errInconclusive},
		{[]report.Outcome{report.Inconclusive, report.NotMet}, errNotMet},
	} {
		var lines []report.Line
		for _, o := range tt.outcomes {
			lines = append(lines, line(o))
		}
		if err := new(suite).exitError(lines); !errors.Is(err, tt.want) {
			t.Errorf("%v: got %v, want %v", tt.outcomes, err, tt.want)
		}
	}
}

// Rows are measured alone by their names.
func TestRowsHaveNamesOfTheirOwn(t *testing.T) {
	names := map[string]bool{}
	for _, r := range rows {
		if names[r.name] || r.name == "" || len(r.lines) == 0 || r.measure == nil {
			t.Errorf("row %q has the name of another one, or is not whole", r.name)
		}
		names[r.name] = true
	}
}
