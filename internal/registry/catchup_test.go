package registry

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
)

// startPause returns a registry in which agents of the services report, and whose
// sidecar has just been paused. It goes on with run.
func startPause(t *testing.T, services ...string) (*Registry, map[string]*agent) {
	t.Helper()
	r, pause := runWithSource()
	agents := make(map[string]*agent)
	for _, name := range services {
		agents[name] = open(t, r, name, "a")
		agents[name].pass()
	}
	for _, a := range agents {
		passFor(time.Second, a)
	}
	for _, a := range agents {
		a.pass()
	}
	pause()
	return r, agents
}

// A change is due one nanosecond after the instant at which the sidecar was paused, and
// so at which the judged instant stands still. The timer must not fire again and again
// until it goes on.
func TestTimerDoesNotSpinWhileTheJudgedInstantStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, pause := runWithSource()
		epg := open(t, r, "epg", "a")
		time.Sleep(2 * clock.Beat)
		epg.pass()
		time.Sleep(DefaultPolicy.StaleAfter - clock.MaxGap + time.Millisecond) // just after a beat
		pause()
		time.Sleep(10 * time.Second)

		epg.unread.Store(true) // so the service is held for clock.MaxBehind
		defer run(r.clock)()
		time.Sleep(10 * clock.Recheck)
		s := r.service("epg")
		if due := s.current.Load().next.Sub(s.heldInstant()); due != 1 {
			t.Fatalf("the next change is due %v after the service is held, want 1 ns", due)
		}
		s.tick()
		s.mu.Lock()
		at := s.timerAt.Sub(s.heldInstant())
		s.mu.Unlock()
		if at < clock.Recheck {
			t.Errorf("the timer fires %v later, want at least %v", at, clock.Recheck)
		}
	})
}

// After an hour's pause of the sidecar, one agent's reports are in its socket, and
// another agent froze meanwhile. The watchers of the first are not woken.
func TestPauseMakesNoHealthyServiceStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, pause := runWithSource()
		epg, frozen := open(t, r, "epg", "a"), open(t, r, "frozen", "a")
		epg.pass()
		frozen.pass()
		sub := r.Subscribe([]byte("epg"))
		defer sub.Close()
		passFor(time.Second, epg, frozen)
		pause()
		time.Sleep(time.Hour)

		epg.unread.Store(true)
		defer run(r.clock)()
		time.Sleep(100 * time.Millisecond) // the intake is slow to read its sockets
		check(t, "before the socket is read", lookup(r, "epg"), judge.None)
		if _, isFinal := r.Lookup([]byte("epg"), 0); isFinal {
			t.Error("before the socket is read: got a final answer, want a provisional one")
		}
		epg.pass()
		epg.unread.Store(false)
		passFor(contract.MaxReportInterval/2, epg)
		check(t, "epg", await(t, r, "epg", 0), judge.None)
		check(t, "frozen", await(t, r, "frozen", 0), judge.Stale)
		if received(sub.Changed()) {
			t.Error("the watchers of epg were woken")
		}
	})
}

// The sidecar is stopped, and the program 0.6 s later. The sidecar reads the reports
// of these 0.6 s when it goes on. Its first answer is that the program is stale.
func TestFirstAnswerAfterBothStoppedIsStale(t *testing.T) {
	for _, dated := range []bool{true, false} {
		for _, length := range []time.Duration{3 * time.Second, 5 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				r, agents := startPause(t, "epg")
				epg := agents["epg"]
				var made []judge.Instant
				for range 3 {
					time.Sleep(200 * time.Millisecond)
					_, real := r.clock.Read()
					made = append(made, real)
				}
				epg.unread.Store(true)
				time.Sleep(length)
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
					check(t, fmt.Sprintf("dated %v: first answer about %q", dated, name), await(t, r, name, 0), judge.Stale)
					if took, most := time.Since(began), clock.MaxBehind+2*clock.Beat; took > most {
						t.Errorf("dated %v: the answer about %q took %v, want at most %v", dated, name, took, most)
					}
				}
			})
		}
	}
}

// Only the sidecar is stopped. If reports say when they were made, the program is
// serving as soon as they are read. If not, the sidecar waits for the next one.
func TestHealthyProgramServesAfterAPause(t *testing.T) {
	for _, dated := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r, agents := startPause(t, "epg")
			epg := agents["epg"]
			report := func(age time.Duration) {
				t.Helper()
				at := judge.Instant(Undated)
				if dated {
					_, real := r.clock.Read()
					at = real.Add(-age)
				}
				if err := epg.session.ReportAt([]Fact{passed}, 0, at); err != nil {
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
			check(t, fmt.Sprintf("dated %v", dated), await(t, r, "epg", 0), judge.None)
			most := 300*time.Millisecond + 2*clock.Beat
			if dated {
				most = 10 * clock.Recheck
			}
			if took := time.Since(began); took > most {
				t.Errorf("dated %v: the answer took %v, want at most %v", dated, took, most)
			}
			time.Sleep(most)
		})
	}
}

// After a pause, all that one process sent cannot be read. Only its own service
// waits.
func TestUnreadProcessHoldsUpOnlyItsOwnService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, agents := startPause(t, "epg", "flood")
		agents["flood"].unread.Store(true)
		time.Sleep(5 * time.Second)
		defer run(r.clock)()
		time.Sleep(clock.Recheck / 2)
		_, real := r.clock.Read()
		if err := agents["epg"].session.ReportAt([]Fact{passed}, 0, real); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for _, name := range []string{"epg", "epg-liveness"} {
			check(t, name, await(t, r, name, 0), judge.None)
		}
		if took, most := time.Since(began), 2*clock.Beat+10*clock.Recheck; took > most {
			t.Errorf("the answers about epg took %v, want at most %v", took, most)
		}
		if a, isFinal := r.Lookup([]byte("flood"), 0); isFinal || a.Cause == judge.Stale {
			t.Errorf("flood, unread: got %v, %v, final %v; want a provisional answer that is not stale", a.Status, a.Cause, isFinal)
		}
		if _, isFinal := r.Lookup(nil, 0); isFinal {
			t.Error("all services, one of them unread: got a final answer, want a provisional one")
		}
		check(t, "flood", await(t, r, "flood", 0), judge.Stale)
		if took, most := time.Since(began), clock.MaxBehind+4*clock.Beat; took > most {
			t.Errorf("the answer about flood took %v, want at most %v", took, most)
		}
	})
}

// A pause is too short for a silence to count. Answers wait only for what is unread,
// and not for the next report.
func TestShortPauseWaitsForNoReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := startPause(t, "epg")
		time.Sleep(200 * time.Millisecond)
		defer run(r.clock)()
		time.Sleep(clock.Recheck / 2)
		began := time.Now()
		check(t, "epg", await(t, r, "epg", 0), judge.None)
		if took, most := time.Since(began), 2*clock.Beat+10*clock.Recheck; took > most {
			t.Errorf("the answer took %v, want at most %v", took, most)
		}
	})
}
