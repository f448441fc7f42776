package registry

import (
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// queued declares a Level that fails at 20, and reports it to be 15.
func queued(t *testing.T, r *Registry, instance string) *agent {
	t.Helper()
	a := &agent{t: t}
	level := judge.Declared{Name: "queue", Kind: judge.KindLevel, Impact: judge.ImpactReadiness, Limits: judge.Limits{DegradeAt: 20, FailAt: 20}}
	if err := a.open(r, AgentID{Service: "epg", Instance: instance, UID: 1000}, level); err != nil {
		t.Fatal(err)
	}
	if err := a.report(Fact{Reached: true, Value: 15}); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAPolicyCountsAtOnce changes what is overridden of a landmark: nothing is
// told by half of the new policy until the next report.
func TestAPolicyCountsAtOnce(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		queued(t, r, "a")
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.Quorum.AtLeast = 2 })}, nil)
		if a := look(r, "epg"); a.Status != judge.NotServing {
			t.Fatalf("one of two is %v", a.Status)
		}
		failAt := 12.0
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) {
			p.Landmarks = map[string]Override{"queue": {DegradeAt: &failAt, FailAt: &failAt}}
		})}, nil)
		if a := look(r, "epg"); a.Cause != judge.Failed {
			t.Errorf("beyond its new limit it is %v, %q", a.Status, a.Cause)
		}
		r.Configure(nil, nil)
		if a := look(r, "epg"); a.Status != judge.Serving {
			t.Errorf("by its old limit it is %v, %q", a.Status, a.Cause)
		}
	})
}

// TestSlowStartConfiguredLaterSlowsNothing gives a slow start to a service that
// has been serving from the first.
func TestSlowStartConfiguredLaterSlowsNothing(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		a := open(t, r, "epg", "a")
		a.pass()
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.SlowStart = time.Minute })}, nil)
		a.pass()
		if a := look(r, "epg"); a.Weight != 100 {
			t.Errorf("it weighs %d", a.Weight)
		}
	})
}

// TestATakenNameDoesNotFlap has a process take the name of one that lives,
// beside another: it counts once it has started.
func TestATakenNameDoesNotFlap(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		open(t, r, "epg", "a").pass()
		open(t, r, "epg", "b").pass()
		next := open(t, r, "epg", "a")
		if err := next.report(Fact{}); err != nil {
			t.Fatal(err)
		}
		if a := look(r, "epg"); a.Status != judge.Serving {
			t.Errorf("while the new one starts it is %v, %q", a.Status, a.Cause)
		}
		next.pass()
		if err := next.report(Fact{Reached: true, Open: true, Age: 2 * mainLoop.Within}); err != nil {
			t.Fatal(err)
		}
		if a := look(r, "epg"); a.Cause != judge.Stalled {
			t.Errorf("started and hanging it is %v, %q", a.Status, a.Cause)
		}
	})
}
