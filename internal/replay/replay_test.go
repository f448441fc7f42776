package replay

import (
	"fmt"
	"slices"
	"testing"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
)

// change is a change of a service's verdicts.
type change struct {
	at     judge.Instant
	states [judge.Aspects]state
}

func (c change) String() string { return fmt.Sprintf("%d %v", c.at, c.states) }

// recordedChanges returns the recorded changes of each service.
func recordedChanges(lines []journal.Line) map[string][]change {
	all := make(map[string][]change)
	for _, l := range lines {
		var verdicts [judge.Aspects]journal.Verdict
		switch {
		case l.Type == journal.TypeVerdict:
			verdicts = l.Verdict.Verdicts()
		case l.Type == journal.TypeFacts && l.Facts.Full:
			verdicts = l.Facts.Judged.Verdicts()
		default:
			continue
		}
		var states [judge.Aspects]state
		for a, v := range verdicts {
			states[a] = state{judge.Status(v.Status), judge.Cause(v.Cause)}
		}
		all[l.Service] = appendChange(all[l.Service], change{l.At, states})
	}
	return all
}

func appendChange(changes []change, c change) []change {
	if n := len(changes); n > 0 && changes[n-1].states == c.states {
		return changes
	}
	return append(changes, c)
}

// TestSamePolicyGivesRecordedVerdicts replays random programs under the policies that were
// in effect: each change must come back, at its very instant.
func TestSamePolicyGivesRecordedVerdicts(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 10
	}
	total := 0
	for seed := range uint64(seeds) {
		lines := record(t, seed, 600)
		want := recordedChanges(lines)
		got := make(map[string][]change)
		Run(linesOf(lines), Config{changed: func(service string, _ int, at judge.Instant, states [judge.Aspects]state) {
			got[service] = appendChange(got[service], change{at, states})
		}})
		for service, changes := range want {
			total += len(changes)
			if !slices.Equal(got[service], changes) {
				t.Errorf("seed %d: %s:\n%s", seed, service, firstDifference(got[service], changes))
			}
		}
		if t.Failed() {
			return
		}
	}
	if total < 10*seeds {
		t.Errorf("%d changes: the programs do too little", total)
	}
}

func firstDifference(got, want []change) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Sprintf("change %d:\n got %v\nwant %v", i, got[max(0, i-1):min(len(got), i+3)], want[max(0, i-1):min(len(want), i+3)])
		}
	}
	return "none"
}
