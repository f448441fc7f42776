package landmark

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	cacheLine = 64 // bytes, on the machines that servers run on

	// wakeBit in tally.n asks the next add to have the carriers woken. It is
	// the sign bit, so that add tests it in the result of its one addition.
	wakeBit = 1 << 63
)

// A tally counts the passes, or settings, of a landmark, and finds when the
// latest came without a look at the clock for each. It may not be copied.
type tally struct {
	// n has a cache line to itself, so that cores that reach different
	// landmarks do not disturb each other.
	_ [cacheLine]byte
	n atomic.Uint64 // wakeBit, and below it the count
	_ [cacheLine - 8]byte

	mu     sync.Mutex // guards what follows
	seen   uint64     // the count when last read
	seenAt time.Time  // when seen last grew; at first, when the landmark was made
}

// begin begins the count at the landmark's making.
func (t *tally) begin() {
	t.n.Store(wakeBit) // the first is news
	t.seenAt = time.Now()
}

// add counts one, and reports whether the carriers wait to hear of it, through
// wake.
func (t *tally) add() (awaited bool) { return int64(t.n.Add(1)) < 0 }

// wake tells the carriers of the set.
func (t *tally) wake(set *Set) {
	t.n.And(^uint64(wakeBit))
	set.wake()
}

// read returns the facts at the instant now. Once half of limit has gone by
// since the latest, the next is awaited; 0 is no limit.
//
// The time of the latest is that of the first reading after it: late by at most
// the time between two readings, never early, so that a program that keeps its
// time never seems to have missed it.
func (t *tally) read(now time.Time, limit time.Duration) Reading {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.n.Load() &^ wakeBit
	if limit > 0 && n == t.seen && now.Sub(t.seenAt) >= limit/2 {
		n = t.n.Or(wakeBit) &^ wakeBit
	}
	if n != t.seen {
		t.seen, t.seenAt = n, now
	}
	return Reading{
		Reached: n > 0,
		Age:     max(0, now.Sub(t.seenAt)),
		Count:   n,
	}
}
