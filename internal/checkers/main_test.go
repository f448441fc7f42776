package checkers

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// at is the checker of that address over UDP.
func at(address string) Checker { return Checker{netip.MustParseAddr(address), LMPUDP} }

// forged is one of many checkers.
func forged(i int) Checker {
	return Checker{netip.AddrFrom4([4]byte{172, byte(i >> 16), byte(i >> 8), byte(i)}), LMPUDP}
}

// newTracker returns a memory that tells no log.
func newTracker() *Tracker { return New(slog.New(slog.DiscardHandler), newClock()) }

// newClock returns a clock that begins now.
func newClock() func() time.Duration {
	begun := time.Now()
	return func() time.Duration { return time.Since(begun) }
}

// about is a question about a service, or all.
func about(service string) Check { return Check{Service: service, Known: true} }

func record(m *Tracker, service string, a Checker) { m.Record(about(service), a, m.now()) }

func recordUnknown(m *Tracker, name []byte, a Checker) { m.Record(Check{Name: name}, a, m.now()) }

// checks has the checker ask so many times, the first at once, then waits one gap
// more.
func checks(m *Tracker, a Checker, times int, gap time.Duration) {
	for range times {
		record(m, "epg", a)
		time.Sleep(gap)
	}
}

// onlyChecker returns what is told of the only checker.
func onlyChecker(t *testing.T, m *Tracker) Stats {
	t.Helper()
	told := m.ByService("epg")
	if len(told) != 1 {
		t.Fatalf("%d checkers are told, want 1: %+v", len(told), told)
	}
	return told[0]
}

// startWatch begins a watch of a service that is known.
func startWatch(m *Tracker, service string, a Checker) *Watch {
	w := m.Watch(a)
	w.Record(about(service))
	return w
}
