package checkers

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// at returns the checker of that address over UDP.
func at(address string) Checker { return Checker{netip.MustParseAddr(address), LMPUDP} }

// forged returns the i-th of many checkers.
func forged(i int) Checker {
	return Checker{netip.AddrFrom4([4]byte{172, byte(i >> 16), byte(i >> 8), byte(i)}), LMPUDP}
}

// newTracker returns a Tracker that does not log.
func newTracker() *Tracker { return New(slog.New(slog.DiscardHandler), newClock()) }

// newClock returns a clock that starts now.
func newClock() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}

// about returns a check of a service, "" for all together.
func about(service string) Check { return Check{Service: service, Known: true} }

func record(m *Tracker, service string, a Checker) { m.Record(about(service), a, m.now()) }

func recordUnknown(m *Tracker, name []byte, a Checker) { m.Record(Check{Name: name}, a, m.now()) }

// checks records so many checks, one gap apart, and waits one more gap.
func checks(m *Tracker, a Checker, times int, gap time.Duration) {
	for range times {
		record(m, "epg", a)
		time.Sleep(gap)
	}
}

// onlyChecker returns the Stats of the only checker of epg.
func onlyChecker(t *testing.T, m *Tracker) Stats {
	t.Helper()
	got := m.ByService("epg")
	if len(got) != 1 {
		t.Fatalf("%d checkers, want 1: %+v", len(got), got)
	}
	return got[0]
}

// startWatch starts a watch of a known service.
func startWatch(m *Tracker, service string, a Checker) *Watch {
	w := m.Watch(a)
	w.Record(about(service))
	return w
}
