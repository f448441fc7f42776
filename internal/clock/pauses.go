package clock

import (
	"sync/atomic"
	"time"
)

// pauses counts the pauses of the sidecar.
type pauses struct {
	number atomic.Uint64
	total  atomic.Int64 // how long they were together, in nanoseconds
}

// count counts the time between two beats, if it was a pause. One that comes before the
// sidecar has caught up belongs to the pause before it.
func (p *pauses) count(last, next *reading) {
	gap := next.real - max(last.real, last.quietUntil)
	if last.resting || gap <= MaxGap {
		return
	}
	if !last.behind {
		p.number.Add(1)
	}
	p.total.Add(int64(gap))
}

// Pauses returns how often the sidecar was paused since it started, and for how long in
// all. It does not know of pauses while the clock rested. Of a pause that began while the
// clock was quiet it knows only what was after the quiet.
func (c *Clock) Pauses() (number uint64, total time.Duration) {
	return c.pauses.number.Load(), time.Duration(c.pauses.total.Load())
}
