package registry

import (
	"time"

	"github.com/landmark-health/landmark/internal/clock"
)

// A pollTimer measures the time in which main loops must answer a get-state command. A pause of
// the sidecar does not count: it must not make the main loops seem slow.
type pollTimer struct {
	*time.Timer
	length time.Duration
	clock  *clock.Clock
	// Only a clock that beats knows of a pause. But to make it beat wakes it, and most
	// commands are answered before. So the clock beats from the second part on. The first
	// is as long as a beat, and counts as no longer, however long it was.
	first       time.Duration
	began       time.Duration // of the second part, by Clock.Awake
	stopBeating func()        // nil in the first part
}

// newPollTimer returns a pollTimer that begins now. The caller calls stop.
func newPollTimer(c *clock.Clock, length time.Duration) *pollTimer {
	first := min(length, clock.Beat)
	return &pollTimer{Timer: time.NewTimer(first), length: length, clock: c, first: first}
}

// passed reports whether the time has passed. Call it when it has fired. It then fires
// again unless it has.
func (t *pollTimer) passed() bool {
	if t.stopBeating == nil {
		t.stopBeating = t.clock.KeepBeating()
		t.began = t.clock.Awake()
	}
	left := t.length - t.first - (t.clock.Awake() - t.began)
	if left <= 0 {
		return true
	}
	t.Reset(left)
	return false
}

func (t *pollTimer) stop() {
	t.Stop()
	if t.stopBeating != nil {
		t.stopBeating()
	}
}
