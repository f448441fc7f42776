package main

import (
	"errors"
	"testing"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

func TestValues(t *testing.T) {
	serving := func(weight uint8) probe.Update {
		return probe.Update{Answer: lmp.Answer{Status: lmp.StatusServing, Weight: weight}}
	}
	draining := probe.Update{Answer: lmp.Answer{Status: lmp.StatusNotServing, Cause: lmp.CauseDraining}}
	for _, tt := range []struct {
		name         string
		update       probe.Update
		weight, want int
	}{
		{"serving", serving(100), 0, 0},
		{"degraded", serving(1), 0, 0},
		{"draining", draining, 0, -2147483648},
		{"stalled", probe.Update{Answer: lmp.Answer{Status: lmp.StatusNotServing, Cause: lmp.CauseStalled}}, 0, -2147483648},
		{"silent", probe.Update{Err: errors.New("silence")}, 0, -2147483648},
		{"serving", serving(100), 100, 0},
		{"serving", serving(75), 100, -25},
		{"serving", serving(1), 100, -99},
		{"serving at 0 %", serving(0), 100, -99},
		{"serving", serving(50), 3, -1}, // ⌈1.5⌉ = 2
		{"serving", serving(34), 3, -1}, // ⌈1.02⌉ = 2
		{"serving", serving(33), 3, -2}, // ⌈0.99⌉ = 1
		{"serving", serving(1), 1, 0},
		{"serving", serving(100), 253, 0},
		{"serving above 100 %", serving(255), 253, 0},
		{"draining", draining, 100, -100},
		{"draining", draining, 1, -1},
		{"lost", probe.Update{Answer: lmp.Answer{Status: lmp.StatusNotServing, Cause: lmp.CauseLost}}, 100, -2147483648},
		{"draining and silent", probe.Update{Answer: draining.Answer, Err: errors.New("silence")}, 100, -2147483648},
		{"silent, with a serving answer", probe.Update{Answer: serving(100).Answer, Err: errors.New("silence")}, 100, -2147483648},
		{"unknown service", probe.Update{Answer: lmp.Answer{Status: lmp.StatusUnknownService, Cause: lmp.CauseUnknownService}}, 100, -2147483648},
		{"unknown service, draining", probe.Update{Answer: lmp.Answer{Status: lmp.StatusUnknownService, Cause: lmp.CauseDraining}}, 100, -2147483648},
	} {
		if got := value(tt.update, tt.weight); got != tt.want {
			t.Errorf("%s, weight %d: %d, want %d", tt.name, tt.weight, got, tt.want)
		}
	}
}

// Of all answers: a serving server is in at weight 1 to its configured weight, a draining
// one with a weight at 0, and all others are out.
func TestValuesOfAllAnswers(t *testing.T) {
	for status := range 256 {
		for cause := range 256 {
			for _, percent := range []uint8{0, 1, 50, 99, 100, 101, 255} {
				for _, weight := range []int{0, 1, 2, 99, 253} {
					u := probe.Update{Answer: lmp.Answer{Status: lmp.Status(status), Cause: lmp.Cause(cause), Weight: percent}}
					got := value(u, weight)
					serving := u.Answer.Status == lmp.StatusServing
					draining := status == 2 && cause == 6 && weight > 0
					if got > 0 || serving != (got > -max(weight, 1)) || draining && got != -weight || !serving && !draining && got != out {
						t.Fatalf("%+v, weight %d: %d", u, weight, got)
					}
				}
			}
		}
	}
}
