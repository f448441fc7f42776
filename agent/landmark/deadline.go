package landmark

import (
	"cmp"
	"sync"
	"time"
)

// KindDeadline is the kind of a [Deadline].
const KindDeadline Kind = 2

// A Deadline is a landmark around pieces of work: it fails when one of them is
// open for longer than it may be. Any number may be open at once, and the
// oldest counts. While none is open there is nothing to wait for: to be idle is
// healthy, also before the first piece of work, unless it was given a
// [StartWithin].
//
// A Deadline is safe for concurrent use, and does nothing when nil.
type Deadline struct {
	declaration Declaration
	set         *Set
	madeAt      time.Time
	works       workTable

	mu      sync.Mutex // guards what follows
	ended   uint64     // pieces of work, when last read
	endedAt time.Time  // when ended last grew; at first, when the landmark was made
}

// A DeadlineOption sets something of a [Deadline].
type DeadlineOption interface {
	applyDeadline(*Deadline)
}

// Deadline declares a landmark for pieces of work each of which ends within the
// given time, 100 ms to 24 h.
func (s *Set) Deadline(name string, within time.Duration, opts ...DeadlineOption) *Deadline {
	if s == nil {
		return nil
	}
	now := time.Now()
	d := &Deadline{
		declaration: Declaration{Name: name, Kind: KindDeadline, Impact: Critical, Within: within},
		set:         s,
		madeAt:      now,
		endedAt:     now,
	}
	for _, o := range opts {
		o.applyDeadline(d)
	}
	s.declare(d.declaration, d)
	return d
}

// Begin records that a piece of work begins, and returns it, to be ended. It
// looks at the clock, never blocks, and allocates only when more pieces are
// open than ever before: some 20 to 80 bytes for each, which are kept.
//
//	defer d.Begin().End()
//
// Where more than a hundred thousand are open at once, some are not followed.
func (d *Deadline) Begin() Work {
	if d == nil {
		return Work{}
	}
	slot, state, grown := d.works.begin(time.Since(d.madeAt))
	if grown {
		d.set.wake() // it may be the first one
	}
	return Work{set: d.set, slot: slot, state: state}
}

// A Work is a piece of work that was begun. It may be copied, and ended on any
// goroutine. The zero Work has ended.
type Work struct {
	set   *Set
	slot  *slot // nil for one that is not followed
	state uint64
}

// End records that the piece of work has ended. It never blocks and allocates
// nothing. To end it again, also by a copy, does nothing.
func (w Work) End() {
	if w.slot == nil {
		return
	}
	if w.slot.end(w.state) {
		w.set.wake()
	}
}

func (d *Deadline) validate() error {
	return cmp.Or(d.declaration.validate(), checkWithin(d.declaration.Within))
}

// read finds by how many pieces of work have ended when the last one did, late
// by at most the time between two readings, so that End need not look at the
// clock. How long the oldest one has been open is exact.
func (d *Deadline) read(now time.Time) Reading {
	d.mu.Lock()
	defer d.mu.Unlock()
	age := now.Sub(d.madeAt)
	// Half of its time has gone for what is as old as that: when it ends, the
	// carriers should hear of it at once.
	work := d.works.read(age - d.declaration.Within/2)
	if ended := work.begun - work.pending; ended != d.ended {
		d.ended, d.endedAt = ended, now
	}
	r := Reading{
		Reached: work.begun > 0,
		Age:     now.Sub(d.endedAt),
		Count:   work.begun,
		Open:    work.pending > 0,
		Pending: work.pending,
	}
	if r.Open {
		r.Age = age - work.oldest
	}
	r.Age = max(0, r.Age)
	return r
}
