package registry

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/sidecar/internal/judge"
)

const (
	// beat is how often the clock takes note that the sidecar runs.
	beat = 25 * time.Millisecond
	// maxGap is the most that the clock advances between two beats.
	maxGap = 50 * time.Millisecond
	// pause is the gap between two beats from which on the sidecar was
	// stopped, rather than late.
	pause = 250 * time.Millisecond
	// settle is how long the clock stands still after a pause, so that the
	// intake reads what lay in its sockets before silence counts again.
	settle = 100 * time.Millisecond
)

// Clock is the sidecar's clock: it advances only while the sidecar runs.
//
// A sidecar that was stopped, frozen or starved finds every agent's last
// report old, though the agents never paused; by this clock they are not. So
// silence counts only while the sidecar could have heard, and once it has had
// time to read its sockets empty.
type Clock struct {
	origin time.Time
	last   atomic.Pointer[reading]
}

// reading is the clock at one beat.
type reading struct {
	real    time.Duration // since the origin, by the machine's clock
	awake   judge.Instant // what this clock says
	resumes time.Duration // real time until which this clock stands still
}

// NewClock returns a clock; Run must run for it to go on.
func NewClock() *Clock {
	c := &Clock{origin: time.Now()}
	c.last.Store(&reading{})
	return c
}

// Now returns the present instant.
func (c *Clock) Now() judge.Instant {
	return c.last.Load().at(time.Since(c.origin))
}

// Run beats until ctx is done.
func (c *Clock) Run(ctx context.Context) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			c.last.Store(c.last.Load().next(time.Since(c.origin)))
		}
	}
}

// at reads the clock at the given real time after the reading.
func (r *reading) at(real time.Duration) judge.Instant {
	return r.awake.Add(max(0, min(real, r.real+maxGap)-max(r.real, r.resumes)))
}

// next is the reading one beat later.
func (r *reading) next(real time.Duration) *reading {
	n := &reading{real: real, awake: r.at(real), resumes: r.resumes}
	// A clock that was about to go on does go on: a sidecar that is starved
	// again and again must still find a frozen program in the end.
	if real-r.real > pause && r.real >= r.resumes {
		n.resumes = real + settle
	}
	return n
}
