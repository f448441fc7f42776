package checkers

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/logtest"
)

// logging runs a test with a Tracker whose Run is running, and its log.
func logging(t *testing.T, test func(t *testing.T, m *Tracker, log func() string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var logged logtest.Buffer
		untimed := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		m := New(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{ReplaceAttr: untimed})), newClock())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		test(t, m, func() string {
			synctest.Wait() // until Run waits
			return logged.Take()
		})
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

func wantLog(t *testing.T, log func() string, want ...string) {
	t.Helper()
	if got := log(); got != strings.Join(want, "") {
		t.Errorf("it logs\n%swant\n%s", got, strings.Join(want, ""))
	}
}

func TestSilenceIsLoggedOnce(t *testing.T) {
	logging(t, func(t *testing.T, m *Tracker, log func() string) {
		director := at("10.0.0.1")
		checks(m, director, 70, 500*time.Millisecond)
		time.Sleep(9 * time.Second)
		wantLog(t, log)
		time.Sleep(2 * time.Second)
		wantLog(t, log, "level=WARN msg=\"a checker has fallen silent\" service=epg checker=10.0.0.1 by=lmp-udp silent_for=10s checks_per_second=2\n")
		time.Sleep(3*time.Hour - 11500*time.Millisecond)
		wantLog(t, log)
		record(m, "epg", director)
		wantLog(t, log, "level=INFO msg=\"a checker is back\" service=epg checker=10.0.0.1 by=lmp-udp silent_for=3h0m0s\n")
		// It falls silent again. It is still steady, so this is logged too.
		checks(m, director, 120, 500*time.Millisecond)
		time.Sleep(11 * time.Second)
		wantLog(t, log, "level=WARN msg=\"a checker has fallen silent\" service=epg checker=10.0.0.1 by=lmp-udp silent_for=10s checks_per_second=2\n")
	})
}

func TestSilenceAfterWatchIsLogged(t *testing.T) {
	logging(t, func(t *testing.T, m *Tracker, log func() string) {
		held := startWatch(m, "", Checker{at("10.0.0.1").From, LMPWatch})
		time.Sleep(time.Hour)
		held.End()
		wantLog(t, log)
		time.Sleep(12 * time.Second)
		wantLog(t, log, "level=WARN msg=\"a checker has fallen silent\" service=\"\" checker=10.0.0.1 by=lmp-watch silent_for=11s\n")
	})
}

// While a gate is closed its checkers cannot be seen, so they are not silent. Those that
// do not come back once it is open are.
func TestClosedGateMakesNoCheckerSilent(t *testing.T) {
	logging(t, func(t *testing.T, m *Tracker, log func() string) {
		gone, back, other := Checker{at("10.0.0.1").From, Gate}, Checker{at("10.0.0.2").From, Gate}, at("10.0.0.3")
		m.SetGate("epg", GateState{Name: "epg", Open: true})
		for range 70 {
			record(m, "epg", gone)
			record(m, "epg", back)
			record(m, "epg", other)
			time.Sleep(500 * time.Millisecond)
		}
		m.SetGate("epg", GateState{Name: "epg"})
		time.Sleep(12 * time.Second)
		wantLog(t, log, "level=WARN msg=\"a checker has fallen silent\" service=epg checker=10.0.0.3 by=lmp-udp silent_for=10s checks_per_second=2\n")
		time.Sleep(time.Hour)
		wantLog(t, log)
		for _, s := range m.ByService("epg") {
			if s.Silent != (s.Checker == other) {
				t.Errorf("silence of %v while the gate is closed: got %t", s.Checker, s.Silent)
			}
		}

		m.SetGate("epg", GateState{Name: "epg", Open: true})
		time.Sleep(9 * time.Second)
		record(m, "epg", back)
		wantLog(t, log)
		time.Sleep(4 * time.Second)
		wantLog(t, log, "level=WARN msg=\"a checker has fallen silent\" service=epg checker=10.0.0.1 by=gate silent_for=1h0m22.5s checks_per_second=2\n")
	})
}

// TestSlowerCheckerIsReportedOnce checks that a checker that changes from once per
// second to once per minute is reported silent once, not each minute.
func TestSlowerCheckerIsReportedOnce(t *testing.T) {
	logging(t, func(t *testing.T, m *Tracker, log func() string) {
		checks(m, at("10.0.0.1"), 60, time.Second)
		checks(m, at("10.0.0.1"), 60, time.Minute)
		if text := log(); strings.Count(text, "silent\"") != 1 || strings.Count(text, "back") != 1 {
			t.Errorf("it logs\n%s", text)
		}
	})
}

// TestFasterChecksForAWhileAreNotSilenceAfter checks that a checker that checks more
// often for a while, as Nagios does while something is wrong, is not reported
// silent when it goes back to its usual rate.
func TestFasterChecksForAWhileAreNotSilenceAfter(t *testing.T) {
	logging(t, func(t *testing.T, m *Tracker, log func() string) {
		const usual, late = 5 * time.Minute, 300 * time.Millisecond
		checks(m, at("10.0.0.1"), 12, usual+late)
		for range 3 {
			checks(m, at("10.0.0.1"), 4, time.Minute)
			checks(m, at("10.0.0.1"), 2, usual+late)
		}
		wantLog(t, log)
	})
}

// TestUnsteadyCheckersAreNotReported checks that checks by hand, in a short burst
// or of an unknown name cause no log line.
func TestUnsteadyCheckersAreNotReported(t *testing.T) {
	logging(t, func(t *testing.T, m *Tracker, log func() string) {
		checks(m, at("10.0.0.1"), 9, 10*time.Second)
		checks(m, at("10.0.0.2"), 100, 10*time.Millisecond)
		recordUnknown(m, []byte("epgg"), at("10.0.0.3"))
		time.Sleep(48 * time.Hour)
		wantLog(t, log)
	})
}

// TestPauseOfSidecarIsNotSilence checks that a landmarkd that was stopped reports no
// checker silent until all had time to check again, and then only those that did
// not.
func TestPauseOfSidecarIsNotSilence(t *testing.T) {
	logging(t, func(t *testing.T, m *Tracker, log func() string) {
		real := m.now
		var stopped atomic.Int64
		m.now = func() time.Duration { return real() + time.Duration(stopped.Load()) }
		for range 70 {
			record(m, "epg", at("10.0.0.1"))
			record(m, "epg", at("10.0.0.2"))
			time.Sleep(500 * time.Millisecond)
		}
		stopped.Store(int64(time.Hour)) // all checks are an hour old
		time.Sleep(8 * time.Second)     // the timer fires an hour late
		wantLog(t, log)
		for _, got := range m.ByService("epg") {
			if got.Silent {
				t.Errorf("%+v", got)
			}
		}
		checks(m, at("10.0.0.2"), 30, 500*time.Millisecond)
		if text := log(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "checker=10.0.0.1 by=lmp-udp silent_for=1h0m1") {
			t.Errorf("it logs\n%s", text)
		}
	})
}

// TestManySilencesAreSummarized checks that a network failure does not flood the
// log.
func TestManySilencesAreSummarized(t *testing.T) {
	logging(t, func(t *testing.T, m *Tracker, log func() string) {
		for range 70 {
			for i := range 100 {
				record(m, fmt.Sprintf("epg%02d", i), at("10.0.0.1"))
			}
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		text := log()
		if n := strings.Count(text, "\n"); n != maxLines+1 || !strings.Contains(text, "service=epg00") || !strings.Contains(text, "status to see them\" checkers=80\n") {
			t.Errorf("it logs\n%s", text)
		}
	})
}

// TestRunIsIdleWithoutSteadyCheckers checks that no timer is set while no checker
// can fall silent.
func TestRunIsIdleWithoutSteadyCheckers(t *testing.T) {
	logging(t, func(t *testing.T, m *Tracker, log func() string) {
		checks(m, at("10.0.0.1"), 70, 500*time.Millisecond)
		time.Sleep(time.Minute)
		if _, next := m.findEvents(m.now()); next != never {
			t.Errorf("the only checker is silent, but the next look is in %v", next-m.now())
		}
	})
}
