package registry

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// checkedPolicy is the policy of a service with an active check and no process, unless
// quorum says otherwise.
func checkedPolicy(quorum judge.Quorum) Policy {
	return policy(func(p *Policy) {
		p.Quorum, p.Configured, p.StaleAfter = quorum, true, time.Hour
		p.Host = []HostLandmark{{Declared: judge.Declared{Name: "probe", Kind: judge.KindCondition, Impact: judge.ImpactReadiness, TTL: 3 * time.Second}}}
	})
}

// checked reports the check of epg: met or not, begun so long ago.
func checked(r *Registry, met bool, ago time.Duration, overdue bool) {
	_, real := r.clock.Read()
	r.ReportHost("epg", HostReport{ReadAt: real, Facts: []Fact{{Reached: true, Met: met, Age: ago}}, Overdue: overdue})
}

// After a pause of the sidecar, no answer rests on a check from before it. If the
// program is not checked again, the last result has expired.
func TestPauseHoldsServiceUntilItIsCheckedAgain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		paused time.Duration
		again  func(r *Registry) // 400 ms after the pause
		cause  judge.Cause
		held   time.Duration // by when there is an answer
	}{
		{"it hangs", time.Minute, func(r *Registry) { checked(r, false, 0, false) }, judge.Failed, 400 * time.Millisecond},
		{"it works", time.Minute, func(r *Registry) { checked(r, true, 0, false) }, judge.None, 400 * time.Millisecond},
		{"it is not checked", time.Minute, func(*Registry) {}, judge.Failed, clock.MaxBehind},
		{"it hangs since a short pause", time.Second, func(r *Registry) { checked(r, false, 0, false) }, judge.Failed, 400 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, pause := runWithSource()
			r.Configure(map[string]Policy{"epg": checkedPolicy(judge.NoneNeeded)}, nil)
			checked(r, true, 0, false)
			check(t, tt.name+": before the pause", await(t, r, "epg", 0), judge.None)
			pause()
			began := time.Now()
			time.Sleep(tt.paused)

			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			go r.clock.Run(ctx, func() bool { // as the host intake
				checked(r, true, time.Since(began), true)
				return true
			})
			resumed := time.Now()
			time.AfterFunc(400*time.Millisecond, func() { tt.again(r) })
			a := await(t, r, "epg", 0)
			check(t, tt.name+": after the pause", a, tt.cause)
			if took := time.Since(resumed); took < tt.held || took > tt.held+10*clock.Recheck {
				t.Errorf("%s: answered after %v, want %v", tt.name, took, tt.held)
			}
		})
	}
}

// A short pause during which no check was due holds nothing.
func TestPauseDoesNotHoldServiceWhoseCheckIsNotDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, pause := runWithSource()
		r.Configure(map[string]Policy{"epg": checkedPolicy(judge.NoneNeeded)}, nil)
		checked(r, true, 0, false)
		pause()
		time.Sleep(time.Second)
		defer run(r.clock)()
		time.Sleep(10 * clock.Recheck)
		if a, final := r.Lookup([]byte("epg"), 0); !final || a.Status != judge.Serving {
			t.Errorf("got %v, final %v; want %v", a.Status, final, judge.Serving)
		}
	})
}

// A result expires although the host is read again and again, and one that is taken
// late is as old as its check.
func TestCheckExpires(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		r.Configure(map[string]Policy{"epg": checkedPolicy(judge.NoneNeeded)}, nil)
		began := time.Now()
		for time.Since(began) <= 3*time.Second {
			checked(r, true, time.Since(began), true)
			check(t, "within its time", lookup(r, "epg"), judge.None)
			time.Sleep(250 * time.Millisecond)
		}
		check(t, "after its time", lookup(r, "epg"), judge.Failed)
		if a := lookup(r, "epg"); a.Age < 3*time.Second {
			t.Errorf("the facts are %v old, want the age of the check", a.Age)
		}
		_, read := r.clock.Read()
		time.Sleep(time.Minute) // between reading and report
		r.ReportHost("epg", HostReport{ReadAt: read, Facts: []Fact{{Reached: true, Met: true}}})
		if a := lookup(r, "epg"); a.Status == judge.Serving {
			t.Error("a result that was read a minute ago counts as new")
		}
	})
}

// In the start grace no answer is given before the program is checked, with or without
// an agent. If the check does not end in the grace, the service is starting, and alive.
func TestGraceHoldsServiceUntilItIsChecked(t *testing.T) {
	for _, agent := range []bool{true, false} {
		for _, tt := range []struct {
			name  string
			ends  func(r *Registry) // 400 ms after the start
			cause judge.Cause
		}{
			{"it works", func(r *Registry) { checked(r, true, 0, false) }, judge.None},
			{"it hangs", func(r *Registry) { checked(r, false, 0, false) }, judge.Failed},
			{"no check ends", func(*Registry) {}, judge.Starting},
		} {
			inBubble(t, time.Second, func(t *testing.T, r *Registry) {
				quorum := judge.NoneNeeded
				if agent {
					quorum = judge.All
				}
				r.Configure(map[string]Policy{"epg": checkedPolicy(quorum)}, nil)
				r.Restore(nil, true) // no process is to come back
				r.BeginGrace()
				began := time.Now()
				if agent {
					open(t, r, "epg", "a").pass()
				}
				time.AfterFunc(400*time.Millisecond, func() { tt.ends(r) })
				check(t, tt.name, await(t, r, "epg", 0), tt.cause)
				held := 400 * time.Millisecond
				if tt.cause == judge.Starting || tt.cause == judge.None && !agent { // by the host alone; an agent may come
					held = time.Second
				}
				if took := time.Since(began); took < held || took > held+10*time.Millisecond {
					t.Errorf("%s, agent %v: answered after %v, want %v", tt.name, agent, took, held)
				}
				check(t, tt.name+": all services", await(t, r, "", 0), tt.cause)
				check(t, tt.name+": liveness", await(t, r, "epg-liveness", 0), judge.None)
			})
		}
	}
}
