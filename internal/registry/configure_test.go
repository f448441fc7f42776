package registry

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// A configured service that no program reports is not serving, and all services
// together are not, until a program reports it or it leaves the configuration.
func TestConfiguredServiceIsExpected(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		other := open(t, r, "other", "a")
		other.pass()
		r.Configure(map[string]Policy{"epg": DefaultPolicy}, nil)
		for _, name := range []string{"epg", ""} {
			check(t, name, lookup(r, name), judge.Unreported)
		}
		sub := r.Subscribe([]byte("epg"))
		defer sub.Close()
		r.Configure(nil, nil)
		check(t, "no longer configured", lookup(r, "epg"), judge.UnknownName)
		if !received(sub.Changed()) {
			t.Error("the service left the configuration, and its watchers were not woken")
		}
		check(t, "all services", lookup(r, ""), judge.None)
		r.Configure(map[string]Policy{"epg": DefaultPolicy}, nil)
		open(t, r, "epg", "a").pass()
		check(t, "reported", lookup(r, "epg"), judge.None)
	})
}

// A service that was never reported is drained and leaves the configuration. It
// is still drained when a program reports it. If it is resumed before, it is dropped.
func TestConfigureKeepsDrains(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		inBubble(t, 0, func(t *testing.T, r *Registry) {
			r.BeginGrace()
			r.Configure(map[string]Policy{"epg": DefaultPolicy}, nil)
			r.Drain("epg", 0)
			r.Configure(nil, nil)
			r.Configure(nil, nil)
			want := judge.Draining
			if resumed {
				r.Resume("epg", 0)
				synctest.Wait()
				if r.Knows("epg") {
					t.Error("the resumed service was not dropped")
				}
				want = judge.None
			}
			open(t, r, "epg", "a").pass()
			check(t, fmt.Sprintf("resumed %v, then reported", resumed), lookup(r, "epg"), want)
		})
	}
}

// A new policy takes effect, and nothing else about the service changes.
func TestConfigureKeepsFactsAndChanges(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		passFor(time.Second, epg)
		before := lookup(r, "epg")
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.StaleAfter = 10 * time.Second })}, nil)
		if a := lookup(r, "epg"); a.Status != judge.Serving || a.Changes != before.Changes || a.StatusAge != before.StatusAge {
			t.Errorf("with another policy: got %+v, want %+v", a, before)
		}
		time.Sleep(9 * time.Second)
		if a := lookup(r, "epg"); a.Cause == judge.Stale {
			t.Errorf("after 9 s of silence, 10 s allowed: got %v", a.Cause)
		}
		time.Sleep(2 * time.Second)
		if a := lookup(r, "epg"); a.Cause != judge.Stale {
			t.Errorf("after 11 s of silence, 10 s allowed: got %v, want %v", a.Cause, judge.Stale)
		}
	})
}

// A fall and a recovery are answered late, as the policy says. The first serving
// verdict is answered at once.
func TestPolicyDampsFallAndRecovery(t *testing.T) {
	type step struct {
		after  time.Duration
		cause  judge.Cause
		weight uint8
	}
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) {
			p.FallAfter, p.RecoverAfter, p.SlowStart = time.Second, 5*time.Second, 10*time.Second
			p.StaleAfter = time.Hour
		})}, nil)
		play := func(phase string, steps ...step) {
			t.Helper()
			var after time.Duration
			for _, s := range steps {
				time.Sleep(s.after)
				after += s.after
				a := lookup(r, "epg")
				check(t, phase+" "+after.String(), a, s.cause)
				if a.Weight != s.weight {
					t.Errorf("%s %v: got weight %d, want %d", phase, after, a.Weight, s.weight)
				}
			}
		}
		epg := open(t, r, "epg", "a")
		epg.pass()
		play("first verdict after", step{0, judge.None, 100})
		epg.session.Disconnect()
		play("falling for",
			step{time.Second - 1, judge.None, 1},
			step{1, judge.Lost, 0})
		open(t, r, "epg", "a").pass()
		play("recovering for",
			step{0, judge.Recovering, 0},
			step{5*time.Second - 1, judge.Recovering, 0},
			step{1, judge.None, 1},
			step{5 * time.Second, judge.None, 50},
			step{5 * time.Second, judge.None, 100})
	})
}

// With "any" as the quorum, the service serves while one of two processes is left.
func TestPolicyQuorumAnyNeedsOneProcess(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.Quorum = judge.Any })}, nil)
		a, b := open(t, r, "epg", "a"), open(t, r, "epg", "b")
		a.pass()
		b.pass()
		a.session.Disconnect()
		got := lookup(r, "epg")
		check(t, "one of two left", got, judge.None)
		if got.Weight != 50 {
			t.Errorf("one of two left: got weight %d, want 50", got.Weight)
		}
		b.session.Disconnect()
		check(t, "none left", lookup(r, "epg"), judge.Lost)
	})
}

// An override takes effect at once: no answer is by half of the new policy until the
// next report.
func TestOverrideTakesEffectBeforeTheNextReport(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		a := &agent{t: t}
		level := judge.Declared{Name: "queue", Kind: judge.KindLevel, Impact: judge.ImpactReadiness, Limits: judge.Limits{DegradeAt: 20, FailAt: 20}}
		if err := a.open(r, AgentID{Service: "epg", Instance: "a", UID: 1000}, level); err != nil {
			t.Fatal(err)
		}
		a.mustReport(Fact{Reached: true, Value: 15})
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.Quorum.AtLeast = 2 })}, nil)
		if a := lookup(r, "epg"); a.Status != judge.NotServing {
			t.Fatalf("one of two: got %v, want %v", a.Status, judge.NotServing)
		}
		failAt := 12.0
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) {
			p.Landmarks = map[string]Override{"queue": {DegradeAt: &failAt, FailAt: &failAt}}
		})}, nil)
		check(t, "beyond the new limit", lookup(r, "epg"), judge.Failed)
		r.Configure(nil, nil)
		check(t, "by the declared limit", lookup(r, "epg"), judge.None)
	})
}

// A slow start that is configured later does not slow a service that has served from
// the first report.
func TestSlowStartConfiguredLaterKeepsTheWeight(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.SlowStart = time.Minute })}, nil)
		epg.pass()
		if a := lookup(r, "epg"); a.Weight != 100 {
			t.Errorf("got weight %d, want 100", a.Weight)
		}
	})
}
