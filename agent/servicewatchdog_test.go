package agent

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
)

// A program that is idle is spared: each WATCHDOG=1 comes when half of the time has
// passed.
func TestWatchdogOfAnIdleLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		serve(t, marks.Loop("main loop", time.Second))
		m := runManaged(t, &marks, 3200*time.Millisecond) // half of it is no multiple of the reports' interval
		m.after(time.Hour)
		if len(m.got) < 2250 {
			t.Fatalf("got %d notifications in an hour, want 2250", len(m.got))
		}
		for i, n := range m.got[2:] {
			if gap := n.at.Sub(m.got[i+1].at); n.lines != "WATCHDOG=1" || gap != 1600*time.Millisecond {
				t.Fatalf("got %q after %v, want WATCHDOG=1 after 1.6s", n.lines, gap)
			}
		}
	})
}

// A loop that hangs gets no WATCHDOG=1 from the moment at which its landmark fails. When
// it continues, it gets one at once.
func TestNoWatchdogWhileTheLoopHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Second)
		served, hang := context.WithCancel(t.Context())
		defer hang()
		background(t, func() {
			for served.Err() == nil {
				select {
				case answer := <-loop.C():
					answer()
				case <-served.Done():
				}
			}
		})
		m := runManaged(t, &marks, 3*time.Second)
		m.after(10 * time.Second)
		hang()
		hung := time.Now()
		m.after(time.Minute)
		for _, n := range m.got {
			if strings.Contains(n.lines, "WATCHDOG=1") && n.at.Sub(hung) > 1250*time.Millisecond {
				t.Errorf("got %q %v after the loop hung", n.lines, n.at.Sub(hung))
			}
		}
		last := m.got[len(m.got)-1].lines
		if !strings.HasPrefix(last, "STATUS=main loop last answered 5") || !strings.HasSuffix(last, " s ago, allowed 1 s") {
			t.Errorf("the last status is %q, want the reason with its age", last)
		}
		if n := len(m.got); n > 45 {
			t.Errorf("got %d notifications in a minute, want one in 1.5 s", n)
		}
		continued := time.Now()
		serve(t, loop)
		m.after(5 * time.Second)
		if len(m.got) == 0 || !strings.HasPrefix(m.got[0].lines, "WATCHDOG=1") || m.got[0].at.Sub(continued) > 10*time.Millisecond {
			t.Errorf("the loop continued at %v: got %v, want WATCHDOG=1 at once", continued, m.got)
		}
		if !slices.ContainsFunc(m.got, func(n notification) bool { return strings.HasSuffix(n.lines, "STATUS=") }) {
			t.Errorf("got %v, want the status removed", m.got)
		}
	})
}

// Only a critical landmark that fails withholds WATCHDOG=1.
func TestWatchdogByKindAndImpact(t *testing.T) {
	for name, tt := range map[string]struct {
		declare func(*landmark.Set) (fail func())
		alive   bool
		status  string
	}{
		"alive": {func(s *landmark.Set) func() {
			s.Alive("worker", time.Second).Reach()
			return func() {}
		}, false, "worker last passed"},
		"alive, for readiness": {func(s *landmark.Set) func() {
			s.Alive("worker", time.Second, landmark.Readiness).Reach()
			return func() {}
		}, true, ""},
		"deadline": {func(s *landmark.Set) func() {
			d := s.Deadline("request", time.Second)
			return func() { d.Begin() }
		}, false, "request began"},
		"deadline without work": {func(s *landmark.Set) func() {
			s.Deadline("request", time.Second)
			return func() {}
		}, true, ""},
		"level": {func(s *landmark.Set) func() {
			l := s.Level("queue", landmark.Above(10, 20))
			l.Set(1)
			return func() { l.Set(30) }
		}, true, ""},
		"level, critical": {func(s *landmark.Set) func() {
			l := s.Level("queue", landmark.Above(10, 20), landmark.Critical)
			l.Set(1)
			return func() { l.Set(30) }
		}, false, "queue is 30, fails at 20"},
		"condition": {func(s *landmark.Set) func() {
			c := s.Condition("database")
			c.Set(true, "")
			return func() { c.Set(false, "away") }
		}, true, ""},
		"condition, critical": {func(s *landmark.Set) func() {
			c := s.Condition("database", landmark.Critical)
			c.Set(true, "")
			return func() { c.Set(false, "away") }
		}, false, "database does not hold: away"},
		"never reached in time": {func(s *landmark.Set) func() {
			return func() { s.Alive("late", time.Minute, landmark.StartWithin(time.Second)) }
		}, false, "late was never reached"},
		"declared later": {func(s *landmark.Set) func() {
			return func() { s.Alive("late", time.Minute) }
		}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var marks landmark.Set
				serve(t, marks.Loop("main loop", time.Second))
				fail := tt.declare(&marks)
				m := runManaged(t, &marks, 3*time.Second)
				if got := m.after(100 * time.Millisecond); alive(got) != 1 {
					t.Fatalf("healthy: got %q, want one WATCHDOG=1", got)
				}
				fail()
				time.Sleep(3 * time.Second)
				got := m.after(10 * time.Second)
				if n := alive(got); tt.alive && n < 6 || !tt.alive && n > 0 {
					t.Errorf("failing: got %d WATCHDOG=1 in 10 s", n)
				}
				if tt.status != "" && (len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "STATUS="+tt.status)) {
					t.Errorf("got %q, want the reason %q", got, tt.status)
				}
			})
		})
	}
}

// Only an Alive or a Loop proves that the program is alive. The others are healthy while
// it does nothing.
func TestNoWatchdogWithoutProof(t *testing.T) {
	for name, declare := range map[string]func(*landmark.Set){
		"not critical":       func(s *landmark.Set) { s.Alive("worker", time.Hour, landmark.Readiness).Reach() },
		"deadline":           func(s *landmark.Set) { s.Deadline("request", time.Second) },
		"condition":          func(s *landmark.Set) { s.Condition("database", landmark.Critical).Set(true, "") },
		"level":              func(s *landmark.Set) { s.Level("queue", landmark.Above(10, 20), landmark.Critical).Set(1) },
		"level and deadline": func(s *landmark.Set) { s.Level("queue", landmark.Above(1, 2)); s.Deadline("request", time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var marks landmark.Set
				declare(&marks)
				var log bytes.Buffer
				m := &manager{}
				r := newReporter(&marks, slog.New(slog.DiscardHandler))
				r.manager = m.report(slog.New(slog.NewTextHandler(&log, nil)), 3*time.Second)
				background(t, func() { r.run(t.Context()) })
				got := m.after(time.Minute)
				if alive(got) > 0 || len(got) != 1 || !strings.HasPrefix(got[0], "READY=1\nSTATUS=nothing proves that the program is alive") {
					t.Errorf("got %q, want READY=1 with the reason, and no WATCHDOG=1", got)
				}
				if strings.Count(log.String(), "WatchdogSec=") != 1 {
					t.Errorf("the log does not say what to do, once:\n%s", log.String())
				}
			})
		})
	}
}

// A landmark that proves that the program is alive does so only once it was reached, also
// if it is declared after READY=1.
func TestNoWatchdogUntilTheProofIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		marks.Condition("configuration").Set(true, "")
		m := runManaged(t, &marks, 3*time.Second)
		m.after(time.Minute)
		worker := marks.Alive("worker", time.Minute)
		m.after(2 * time.Second)
		if got := m.after(time.Minute); alive(got) > 0 || len(got) == 0 || !strings.HasPrefix(got[0], "STATUS=worker has not been reached yet") {
			t.Errorf("never reached: got %q, want the reason, and no WATCHDOG=1", got)
		}
		worker.Reach()
		if got := m.after(30 * time.Second); alive(got) < 15 {
			t.Errorf("reached: got %q, want WATCHDOG=1", got)
		}
	})
}

// A service manager without a watchdog gets no WATCHDOG=1.
func TestNoWatchdogIfNoneIsExpected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		serve(t, marks.Loop("main loop", time.Second))
		m := runManaged(t, &marks, 0)
		if got := m.after(time.Hour); !slices.Equal(got, []string{
			"STATUS=main loop has not been reached yet, declared 0 ms ago", "READY=1\nSTATUS=",
		}) {
			t.Errorf("got %q", got)
		}
	})
}
