package landmark

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/collector"
)

const (
	cacheLine = 64 // bytes, on the machines that servers run on

	// wakeBit in counter.n makes the next add request a wake. It is the sign bit,
	// so that add can test it in the result of its addition.
	wakeBit = 1 << 63
)

// A counter counts the passes or settings of a landmark. It determines when the
// latest one happened without reading the clock each time. It must not be copied.
type counter struct {
	// n has a cache line of its own, so that cores that reach different landmarks
	// do not slow each other down.
	_ [cacheLine]byte
	n atomic.Uint64 // wakeBit, and below it the count
	_ [cacheLine - 8]byte

	mu     sync.Mutex // guards seen and seenAt
	seen   uint64     // the count at the latest sample
	seenAt time.Time  // when seen last grew; at first, when the landmark was declared
}

// start starts the counter when its landmark is declared.
func (c *counter) start() {
	c.n.Store(wakeBit) // the first pass is worth a report
	c.seenAt = time.Now()
}

// add counts one, and reports whether the caller must call wake.
func (c *counter) add() (wake bool) { return int64(c.n.Add(1)) < 0 }

// wake notifies the watchers of the set.
func (c *counter) wake(set *Set) {
	c.n.And(^uint64(wakeBit))
	set.wake()
}

// sample returns the facts at the time now. When at least half of limit has
// passed since the latest count, the next add requests a wake; 0 = no limit.
//
// The time of the latest count is the time of the first sample after it. It is
// late by at most the interval between two samples and never early, so a program
// that is in time never seems late.
func (c *counter) sample(now time.Time, limit time.Duration) collector.Sample {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n.Load() &^ wakeBit
	if limit > 0 && n == c.seen && now.Sub(c.seenAt) >= limit/2 {
		n = c.n.Or(wakeBit) &^ wakeBit
	}
	if n != c.seen {
		c.seen, c.seenAt = n, now
	}
	return collector.Sample{
		Reached: n > 0,
		Age:     max(0, now.Sub(c.seenAt)),
		Count:   n,
	}
}
