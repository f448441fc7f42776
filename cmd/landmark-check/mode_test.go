package main

import (
	"errors"
	"testing"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// Of all answers and errors, only a serving answer exits with 0.
func TestOnlyServingExitsWithZero(t *testing.T) {
	for name, code := range map[string]func(lmp.Answer, error) int{
		"exec": execCode, "keepalived": keepalivedCode(0), "weighted keepalived": keepalivedCode(100),
		"nagios": nagiosCode, "ldirectord": ldirectordCode,
	} {
		for status := range 256 {
			for cause := range 256 {
				a := lmp.Answer{Status: lmp.Status(status), Cause: lmp.Cause(cause), Weight: 100}
				if got, want := code(a, nil) == 0, a.Status == lmp.StatusServing; got != want {
					t.Fatalf("%s: %v, %v exits with 0: %v", name, a.Status, a.Cause, got)
				}
			}
		}
		for _, err := range []error{errors.New("any"), probe.ErrRejected} {
			if code(lmp.Answer{Status: lmp.StatusServing}, err) == 0 {
				t.Errorf("%s: exits with 0 for the error %v", name, err)
			}
		}
	}
}

// A degraded server gets its part of the weight, rounded up, and never 0, which is a
// drain.
func TestKeepalivedWeights(t *testing.T) {
	for _, tt := range []struct{ configured, percent, want int }{
		{1, 1, 3}, {1, 99, 3}, {1, 100, 0},
		{100, 1, 3}, {100, 50, 52}, {100, 99, 101}, {100, 100, 0},
		{253, 1, 5}, {253, 99, 253}, {10, 33, 6},
		{0, 50, 0}, // no configured weight
	} {
		a := lmp.Answer{Status: lmp.StatusServing, Weight: uint8(tt.percent)}
		if got := keepalivedCode(tt.configured)(a, nil); got != tt.want {
			t.Errorf("%d %% of %d exits with %d, want %d", tt.percent, tt.configured, got, tt.want)
		}
	}
	draining := lmp.Answer{Status: lmp.StatusNotServing, Cause: lmp.CauseDraining}
	if got := keepalivedCode(100)(draining, nil); got != 2 {
		t.Errorf("draining exits with %d, want 2", got)
	}
}

func TestNagiosCodes(t *testing.T) {
	for _, tt := range []struct {
		answer lmp.Answer
		err    error
		want   int
	}{
		{lmp.Answer{Status: lmp.StatusServing, Weight: 100}, nil, 0},
		{lmp.Answer{Status: lmp.StatusServing, Weight: 99}, nil, 1},
		{lmp.Answer{Status: lmp.StatusNotServing, Cause: lmp.CauseDraining}, nil, 1},
		{lmp.Answer{Status: lmp.StatusNotServing, Cause: lmp.CauseStalled}, nil, 2},
		{lmp.Answer{Status: lmp.StatusUnknown}, nil, 2},
		{lmp.Answer{Status: lmp.StatusUnknownService}, nil, 3},
		{lmp.Answer{Status: lmp.StatusServing, Weight: 100}, probe.ErrRejected, 2},
	} {
		if got := nagiosCode(tt.answer, tt.err); got != tt.want {
			t.Errorf("%+v, %v exits with %d, want %d", tt.answer, tt.err, got, tt.want)
		}
	}
}
