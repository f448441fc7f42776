package registry

import (
	"testing"

	"github.com/landmark-health/landmark/sidecar/internal/judge"
)

// TestHistoryKeepsTheLastChanges changes a service more often than is kept.
func TestHistoryKeepsTheLastChanges(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		a := open(t, r, "epg", "a")
		a.pass()
		for range MaxChanges {
			a.report(Fact{Reached: true, Open: true, Age: 2 * mainLoop.Within})
			live(mainLoop.Within, a)
		}
		changes, _ := r.History("epg")
		if len(changes) != MaxChanges {
			t.Fatalf("%d changes are kept, want %d", len(changes), MaxChanges)
		}
		for i, c := range changes {
			want := judge.Stalled
			if i%2 == 1 {
				want = judge.None
			}
			if got := c.Verdicts[judge.Readiness].Cause; got != want {
				t.Errorf("change %d is to %q, want %q", i, got, want)
			}
			if i > 0 && c.Age > changes[i-1].Age {
				t.Errorf("change %d was before the one before it", i)
			}
		}
	})
}

// TestHistoryShowsTheWorstLandmarks has more landmarks that are not well than
// are kept with a change.
func TestHistoryShowsTheWorstLandmarks(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		a := &agent{t: t}
		if err := a.open(r, Peer{Service: "epg", Instance: "a", UID: 1000}, mainLoop); err != nil {
			t.Fatal(err)
		}
		var declared []judge.Declared
		for _, name := range []string{"a", "b", "c", "d", "e", "failing"} {
			declared = append(declared, judge.Declared{Name: name, Kind: judge.KindLevel, Impact: judge.ImpactReadiness, Limits: judge.Limits{DegradeAt: 1, FailAt: 3}})
		}
		a.session.Declare(declared)
		facts := make([]Fact, len(declared))
		for i := range facts {
			facts[i] = Fact{Reached: true, Value: 2}
		}
		facts[5].Value = 4
		if err := a.session.Report(facts, 0); err != nil {
			t.Fatal(err)
		}
		changes, _ := r.History("epg")
		shown := changes[len(changes)-1].Landmarks
		if len(shown) != maxShown || shown[0].Name != "failing" || shown[0].State != judge.Failing || shown[1].State != judge.Degraded {
			t.Errorf("shown are %+v", shown)
		}
	})
}
