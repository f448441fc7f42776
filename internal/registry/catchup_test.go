package registry

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// pauseBegun returns a registry in which the agents of the services report, and
// whose sidecar has just been stopped.
func pauseBegun(t *testing.T, services ...string) (*Registry, map[string]*agent) {
	t.Helper()
	c := clock.New()
	c.AddSource()
	stop := run(c)
	r := New(c, 0)
	agents := make(map[string]*agent)
	for _, name := range services {
		agents[name] = open(t, r, name, "a")
		agents[name].pass()
	}
	for _, a := range agents {
		live(time.Second, a)
	}
	for _, a := range agents {
		a.pass()
	}
	stop()
	return r, agents
}

// TestBothStopped stops the sidecar, and the program 0.6 s later. The reports of
// these 0.6 s are read when the sidecar goes on: the first answer is that the
// program is stale.
func TestBothStopped(t *testing.T) {
	for _, dated := range []bool{true, false} {
		for _, pause := range []time.Duration{3 * time.Second, 5 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				r, agents := pauseBegun(t, "epg")
				epg := agents["epg"]
				var made []judge.Instant
				for range 3 {
					time.Sleep(200 * time.Millisecond)
					_, real := r.clock.Read()
					made = append(made, real)
				}
				epg.unread.Store(true)
				time.Sleep(pause)
				defer run(r.clock)()
				time.Sleep(clock.Recheck / 2)
				for _, at := range made {
					if !dated {
						at = Undated
					}
					if err := epg.session.ReportAt([]Fact{{Reached: true, Age: 10 * time.Millisecond}}, 0, at); err != nil {
						t.Fatal(err)
					}
				}
				epg.unread.Store(false)
				for _, name := range []string{"epg", "epg-liveness", ""} {
					began := time.Now()
					if a := ask(t, r, name, 0); a.Cause != judge.Stale {
						t.Errorf("dated %v: the first answer about %q is %v, %q", dated, name, a.Status, a.Cause)
					}
					if took := time.Since(began); took > clock.MaxBehind+2*clock.Beat {
						t.Errorf("dated %v: the answer about %q took %v", dated, name, took)
					}
				}
			})
		}
	}
}

// TestHealthyProgramOutlivesAPause stops the sidecar alone. An agent that says
// when its reports were made is healthy as soon as they were read; of another
// the next one is waited for.
func TestHealthyProgramOutlivesAPause(t *testing.T) {
	for _, dated := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r, agents := pauseBegun(t, "epg")
			epg := agents["epg"]
			report := func(age time.Duration) {
				t.Helper()
				at := judge.Instant(Undated)
				if dated {
					_, real := r.clock.Read()
					at = real.Add(-age)
				}
				if err := epg.session.ReportAt([]Fact{{Reached: true}}, 0, at); err != nil {
					t.Fatal(err)
				}
			}
			epg.unread.Store(true)
			time.Sleep(5 * time.Second)
			defer run(r.clock)()
			time.Sleep(clock.Recheck / 2)
			report(5 * time.Second)
			report(200 * time.Millisecond)
			epg.unread.Store(false)
			next := time.AfterFunc(300*time.Millisecond, func() { report(0) })
			defer next.Stop()
			began := time.Now()
			if a := ask(t, r, "epg", 0); a.Status != judge.Serving {
				t.Errorf("dated %v: it is %v, %q", dated, a.Status, a.Cause)
			}
			allowed := 300*time.Millisecond + 2*clock.Beat
			if dated {
				allowed = 10 * clock.Recheck
			}
			if took := time.Since(began); took > allowed {
				t.Errorf("dated %v: the answer took %v, allowed %v", dated, took, allowed)
			}
			time.Sleep(allowed)
		})
	}
}

// TestUnreadProcessMakesOnlyItsOwnServiceWait plays a process of which not all
// can be read after a pause.
func TestUnreadProcessMakesOnlyItsOwnServiceWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, agents := pauseBegun(t, "epg", "flood")
		agents["flood"].unread.Store(true)
		time.Sleep(5 * time.Second)
		defer run(r.clock)()
		time.Sleep(clock.Recheck / 2)
		_, real := r.clock.Read()
		if err := agents["epg"].session.ReportAt([]Fact{{Reached: true}}, 0, real); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for _, name := range []string{"epg", "epg-liveness"} {
			if a := ask(t, r, name, 0); a.Status != judge.Serving {
				t.Errorf("%s is %v, %q", name, a.Status, a.Cause)
			}
		}
		if took := time.Since(began); took > 2*clock.Beat+10*clock.Recheck {
			t.Errorf("the service beside it waited for %v", took)
		}
		if a, settled := r.Lookup([]byte("flood"), 0); settled || a.Cause == judge.Stale {
			t.Errorf("the service that is not read is %v, %q, settled %v", a.Status, a.Cause, settled)
		}
		if _, settled := r.Lookup(nil, 0); settled {
			t.Error("all services are said to be serving, though one of them was not heard")
		}
		if a := ask(t, r, "flood", 0); a.Cause != judge.Stale {
			t.Errorf("then it is %v, %q", a.Status, a.Cause)
		}
		if took := time.Since(began); took > clock.MaxBehind+4*clock.Beat {
			t.Errorf("it was waited for %v", took)
		}
	})
}

// TestShortPauseWaitsForNoReport pauses the sidecar for less than would make a
// silence count: nothing waits but for what is unread.
func TestShortPauseWaitsForNoReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := pauseBegun(t, "epg")
		time.Sleep(200 * time.Millisecond)
		defer run(r.clock)()
		time.Sleep(clock.Recheck / 2)
		began := time.Now()
		if a := ask(t, r, "epg", 0); a.Status != judge.Serving {
			t.Errorf("it is %v, %q", a.Status, a.Cause)
		}
		if took := time.Since(began); took > 2*clock.Beat+10*clock.Recheck {
			t.Errorf("the answer took %v", took)
		}
	})
}
