package registry

import (
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// A program is idle for an hour, and its main loop answers four times a second. No
// answer is ever against it, and no watcher is woken.
func TestIdleProgramServesForAnHour(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		sub := r.Subscribe([]byte("epg"))
		defer sub.Close()
		for range 4 * 60 * 60 {
			time.Sleep(250 * time.Millisecond)
			if a := lookup(r, "epg"); a.Status != judge.Serving || a.Weight != 100 {
				t.Fatalf("after %v: got %v, weight %d (%s); want %v, 100", r.clock.Awake(), a.Status, a.Weight, a.Reason(), judge.Serving)
			}
			// The command was sent half an interval ago, and answered in 1 ms.
			epg.mustReport(Fact{Reached: true, Open: true, Age: 124 * time.Millisecond})
		}
		if received(sub.Changed()) {
			t.Error("the watchers were woken")
		}
		if a := lookup(r, "epg"); a.StatusAge != time.Hour {
			t.Errorf("got status age %v, want 1h", a.StatusAge)
		}
	})
}

// A process's silence changes the verdict before another process's earlier report
// is published. That report does not change the verdict back.
func TestLateReportTakesNoChangeBack(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		a, b := open(t, r, "epg", "a"), open(t, r, "epg", "b")
		a.pass()
		b.pass()
		passFor(1500*time.Millisecond, a)
		made := r.clock.Judged() // b is not stale yet
		time.Sleep(10 * time.Millisecond)
		before := lookup(r, "epg")
		if before.Cause != judge.Stale {
			t.Fatalf("before the report: got %v, %v; want %v", before.Status, before.Cause, judge.Stale)
		}
		if err := r.service("epg").report(a.session, []Fact{passed}, 0, made); err != nil {
			t.Fatal(err)
		}
		if after := lookup(r, "epg"); after.Changes != before.Changes || after.StatusAge != before.StatusAge {
			t.Errorf("after the report: got %d changes, status age %v; want %d, %v", after.Changes, after.StatusAge, before.Changes, before.StatusAge)
		}
	})
}

// The timers of services that report at different times fire together.
func TestTimersFireTogether(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		at := make(map[judge.Instant]bool)
		for _, service := range []string{"a", "b", "c", "d", "e"} {
			epg := open(t, r, service, "a")
			epg.pass()
			time.Sleep(time.Millisecond)
			s := r.service(service)
			s.mu.Lock()
			at[s.timerAt] = true
			s.mu.Unlock()
		}
		if len(at) > 2 {
			t.Errorf("5 timers were set within 5 ms, and fire at %d instants", len(at))
		}
	})
}

// The timer is not put off by each report. When it fires early, nothing is judged again;
// when the reports end, it still notices that.
func TestTimerThatFiresEarlyJudgesNothing(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		s := r.service("epg")
		for range 40 {
			judged := s.current.Load()
			time.Sleep(250 * time.Millisecond)
			if s.current.Load() != judged {
				t.Fatalf("after %v: it was judged again between two reports", r.clock.Awake())
			}
			epg.mustReport(Fact{Reached: true})
		}
		time.Sleep(2 * time.Second)
		if v := s.current.Load().verdicts[judge.Readiness]; v.Status != judge.NotServing {
			t.Errorf("2 s after the last report, before any request: %v, want %v", v.Status, judge.NotServing)
		}
	})
}

// Reports are of the landmarks that were declared last. A report with another number
// of facts panics.
func TestReportsFollowTheLatestDeclaration(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		feed := judge.Declared{Name: "feed", Kind: judge.KindAlive, Impact: judge.ImpactReadiness, Within: time.Second}
		epg.session.Declare([]judge.Declared{mainLoop, feed})
		if err := epg.session.Report([]Fact{passed, {}}, 0); err != nil {
			t.Fatal(err)
		}
		a := lookup(r, "epg")
		check(t, "a new landmark not reached", a, judge.Starting)
		if n := len(a.Landmarks()); n != 2 {
			t.Errorf("got %d landmarks, want 2", n)
		}
		check(t, "startup, once passed", lookup(r, "epg-startup"), judge.None)
		defer func() {
			if recover() == nil {
				t.Error("a report that does not match the declaration was taken, want a panic")
			}
		}()
		epg.session.Report([]Fact{{}}, 0)
	})
}

// A process takes the name of a living one, beside another. It counts once it has
// started.
func TestTakenNameCountsOnceStarted(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		open(t, r, "epg", "a").pass()
		open(t, r, "epg", "b").pass()
		next := open(t, r, "epg", "a")
		next.mustReport(Fact{})
		check(t, "while the new one starts", lookup(r, "epg"), judge.None)
		next.pass()
		next.mustReport(Fact{Reached: true, Open: true, Age: 2 * mainLoop.Within})
		check(t, "when the new one hangs", lookup(r, "epg"), judge.Stalled)
	})
}

// A process that drains is not ready, but alive, until it wants work again.
func TestDrainingProcessIsNotReadyButAlive(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		epg.session.Drain(true)
		epg.pass()
		a := lookup(r, "epg")
		check(t, "draining", a, judge.Draining)
		if a.Weight != 0 {
			t.Errorf("draining: got weight %d, want 0", a.Weight)
		}
		check(t, "liveness of a draining process", lookup(r, "epg-liveness"), judge.None)
		epg.session.Drain(false)
		epg.pass()
		check(t, "no longer draining", lookup(r, "epg"), judge.None)
	})
}
