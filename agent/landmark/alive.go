package landmark

import (
	"sync"
	"sync/atomic"
	"time"
)

// KindAlive is the kind of an [Alive].
const KindAlive Kind = 1

const (
	cacheLine = 64 // bytes, on the machines that servers run on

	// wakeBit in Alive.passes asks the next Reach to wake the carriers. It is
	// the sign bit, so that Reach tests it in the result of its one addition.
	wakeBit = 1 << 63
)

// An Alive is a landmark in a loop that turns by itself: it fails when the last
// pass is older than it may be. A loop that may sleep takes a [Loop] instead.
//
// An Alive is safe for concurrent use, and does nothing when nil.
type Alive struct {
	// passes has a cache line to itself, so that cores that reach different
	// landmarks do not disturb each other.
	_      [cacheLine]byte
	passes atomic.Uint64 // wakeBit, and below it the number of passes
	_      [cacheLine - 8]byte

	declaration Declaration
	set         *Set

	mu     sync.Mutex // guards what follows
	seen   uint64     // passes when last read
	seenAt time.Time  // when seen last grew; at first, when the landmark was made
}

// Alive declares a landmark that the program passes at least once within the
// given time, 100 ms to 24 h.
func (s *Set) Alive(name string, within time.Duration, opts ...Option) *Alive {
	if s == nil {
		return nil
	}
	a := &Alive{
		declaration: Declaration{Name: name, Kind: KindAlive, Impact: Critical, Within: within},
		set:         s,
		seenAt:      time.Now(),
	}
	a.passes.Store(wakeBit) // the first pass is news
	for _, o := range opts {
		o.apply(&a.declaration)
	}
	s.declare(a.declaration, a)
	return a
}

// Reach records that the program passes the landmark. It is one atomic
// addition: it never blocks and allocates nothing. Call it only from the code
// whose work the landmark shows.
func (a *Alive) Reach() {
	if a == nil {
		return
	}
	if int64(a.passes.Add(1)) < 0 {
		a.wake()
	}
}

// wake is the part of Reach that is seldom taken.
func (a *Alive) wake() {
	a.passes.And(^uint64(wakeBit))
	if a.set != nil {
		a.set.wake()
	}
}

func (a *Alive) validate() error { return a.declaration.validate() }

// read finds when the landmark was last passed by comparing the count with the
// one read before, so that Reach need not look at the clock. The time of a pass
// is therefore that of the first reading after it: late by at most the time
// between two readings, never early, so that a loop that keeps its time never
// seems to have missed it.
func (a *Alive) read(now time.Time) Reading {
	a.mu.Lock()
	defer a.mu.Unlock()
	passes := a.passes.Load() &^ wakeBit
	if passes == a.seen && now.Sub(a.seenAt) >= a.declaration.Within/2 {
		// Half of its time has gone: when it is reached now, the carriers
		// should hear of it at once.
		passes = a.passes.Or(wakeBit) &^ wakeBit
	}
	if passes != a.seen {
		a.seen, a.seenAt = passes, now
	}
	return Reading{
		Reached: passes > 0,
		Age:     max(0, now.Sub(a.seenAt)),
		Count:   passes,
	}
}
