package replay

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
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

// exactPolicies returns policies whose limits are not below the floors of a journal that was
// recorded under policies with limits of at most maxWithin: a quarter of it, or more if that
// is exceeded often.
func exactPolicies(r *rand.Rand, recorded bool) map[string]registry.Policy {
	policies := make(map[string]registry.Policy)
	for _, s := range services {
		p := registry.DefaultPolicy
		p.Landmarks = make(map[string]registry.Override)
		for _, k := range []judge.Kind{judge.KindLoop, judge.KindAlive, judge.KindDeadline} {
			for i := range 4 {
				within := time.Second
				if !recorded {
					within = time.Second + time.Duration(r.IntN(1500))*time.Millisecond
				}
				o := registry.Override{Within: &within}
				if !recorded && r.IntN(3) == 0 {
					o.Impact = new(pick(r, judge.ImpactCritical, judge.ImpactReadiness, judge.ImpactDegrading, judge.ImpactInformational))
				}
				p.Landmarks[fmt.Sprintf("%d %d", k, i)] = o
			}
		}
		if !recorded {
			p.StaleAfter = time.Duration(1500+r.IntN(1000)) * time.Millisecond
			p.Quorum = pick(r, judge.All, judge.Any, judge.Quorum{AtLeast: 2})
			p.FallAfter = pick(r, 0, 300*time.Millisecond)
			p.RecoverAfter = pick(r, 0, time.Second)
		}
		policies[s] = p
	}
	return policies
}

// TestOtherPolicyGivesItsVerdicts replays random programs under another policy than that in
// effect. The same programs are recorded under that policy, too: both must say the same.
func TestOtherPolicyGivesItsVerdicts(t *testing.T) {
	seeds, total := 40, 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 3))
		other := exactPolicies(r, false)
		lines := simple(t, seed, exactPolicies(r, true))
		want := recordedChanges(simple(t, seed, other))
		got := make(map[string][]change)
		Run(linesOf(lines), Config{Policies: other, changed: func(service string, _ int, at judge.Instant, states [judge.Aspects]state) {
			got[service] = appendChange(got[service], change{at, states})
		}})
		for service, changes := range want {
			total += len(changes)
			if !equalWithin(got[service], changes, 2*time.Microsecond) {
				t.Errorf("seed %d: %s:\n%s", seed, service, firstDifference(got[service], changes))
			}
		}
		if t.Failed() {
			return
		}
	}
	if total < 5*seeds {
		t.Errorf("%d changes: the programs do too little", total)
	}
}

// equalWithin reports whether the changes are the same, at instants that differ by less
// than the jitter of reports of one and the same pass.
func equalWithin(got, want []change, jitter time.Duration) bool {
	return slices.EqualFunc(settled(got, jitter), settled(want, jitter), func(a, b change) bool {
		return a.states == b.states && a.at.Sub(b.at).Abs() <= jitter
	})
}

// settled leaves out what lasts for less than the jitter.
func settled(changes []change, jitter time.Duration) (all []change) {
	for i, c := range changes {
		if i+1 < len(changes) && changes[i+1].at.Sub(c.at) <= jitter {
			continue
		}
		all = appendChange(all, c)
	}
	return all
}

// TestSmallLimitIsBounded replays random programs under limits that are so small that the
// journal does not say exactly when they are exceeded. What the same programs get under
// these limits must be within the bounds.
func TestSmallLimitIsBounded(t *testing.T) {
	seeds, bounded := 40, 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 3))
		small := exactPolicies(r, true)
		for _, p := range small {
			for name := range p.Landmarks {
				p.Landmarks[name] = registry.Override{Within: new(time.Duration(20+r.IntN(200)) * time.Millisecond)}
			}
		}
		lines := simple(t, seed, exactPolicies(r, true))
		truth := Run(linesOf(simple(t, seed, small)), Config{})
		got := Run(linesOf(lines), Config{Policies: small})
		for i, s := range got.Services {
			want := truth.Services[i].Recorded.Out
			least, most := s.New.Out, s.New.Out
			if s.Bounded {
				most = s.Most.Out
				bounded++
			}
			if want < least-time.Millisecond || want > most+time.Millisecond {
				t.Errorf("seed %d: %s was out for %v, which is not between %v and %v", seed, s.Name, want, least, most)
			}
		}
	}
	if bounded < seeds/4 {
		t.Errorf("only %d of the outcomes are bounded", bounded)
	}
}
