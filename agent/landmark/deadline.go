package landmark

import (
	"cmp"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/collector"
)

// A Deadline is a landmark around pieces of work: it fails when one of them is
// open for longer than the given time. Any number may be open at once, and the
// oldest counts. While none is open the landmark is healthy, even before the
// first piece of work, unless it has [StartWithin].
//
// A Deadline is safe for concurrent use, and does nothing when nil.
type Deadline struct {
	declaration collector.Declaration
	set         *Set
	declaredAt  time.Time
	works       workTable
	site        site

	mu      sync.Mutex // guards ended and endedAt
	ended   uint64     // pieces of work, at the latest sample
	endedAt time.Time  // when ended last grew; at first, declaredAt
}

// A DeadlineOption sets a property of a [Deadline].
type DeadlineOption interface {
	applyDeadline(*Deadline)
}

// Deadline declares a landmark for pieces of work, each of which ends within the
// given time, 100 ms to 24 h.
func (s *Set) Deadline(name string, within time.Duration, opts ...DeadlineOption) *Deadline {
	if s == nil {
		return nil
	}
	now := time.Now()
	d := &Deadline{
		declaration: collector.Declaration{
			Name: name, Kind: collector.KindDeadline, Impact: uint8(Critical), Within: within,
		},
		set:        s,
		declaredAt: now,
		endedAt:    now,
	}
	d.site.due.Store(true)
	for _, o := range opts {
		o.applyDeadline(d)
	}
	s.declare(collector.Landmark{Declaration: d.declaration, Sample: d.sample, Stack: d.site.stack}, d.validate())
	return d
}

// Begin records that a piece of work begins. The caller must end it with
// [Work.End]:
//
//	defer d.Begin().End()
//
// Begin reads the clock and never blocks. It allocates only when more pieces are
// open than ever before: 20 to 80 bytes for each, which are kept. When more than
// a hundred thousand are open at once, some are not tracked.
func (d *Deadline) Begin() Work {
	if d == nil {
		return Work{}
	}
	slot, state, grown := d.works.begin(time.Since(d.declaredAt))
	if d.site.due.Load() {
		d.site.record()
	}
	if grown {
		d.set.wake() // it may be the first piece of work
	}
	return Work{set: d.set, slot: slot, state: state}
}

// A Work is a piece of work that was begun. It may be copied, and ended on any
// goroutine. The zero Work has ended.
type Work struct {
	set   *Set
	slot  *slot // nil if it is not tracked
	state uint64
}

// End records that the piece of work has ended. It never blocks and does not
// allocate. Ending it again, even through a copy, does nothing.
func (w Work) End() {
	if w.slot == nil {
		return
	}
	if w.slot.end(w.state) {
		w.set.wake()
	}
}

func (d *Deadline) validate() error {
	return cmp.Or(validate(d.declaration), checkWithin(d.declaration.Within))
}

// sample detects the end of a piece of work when the number of ended pieces has
// grown, so that End need not read the clock. That time is late by at most the
// interval between two samples. The age of an open piece of work is exact.
func (d *Deadline) sample(now time.Time) collector.Sample {
	d.site.refresh(now)
	d.mu.Lock()
	defer d.mu.Unlock()
	age := now.Sub(d.declaredAt)
	// A piece of work that has used half of its time is reported at once when it
	// ends.
	work := d.works.sample(age - d.declaration.Within/2)
	if ended := work.begun - work.pending; ended != d.ended {
		d.ended, d.endedAt = ended, now
	}
	sample := collector.Sample{
		Reached: work.begun > 0,
		Age:     now.Sub(d.endedAt),
		Count:   work.begun,
		Open:    work.pending > 0,
		Pending: work.pending,
	}
	if sample.Open {
		sample.Age = age - work.oldest
	}
	sample.Age = max(0, sample.Age)
	return sample
}
