package landmark

import (
	"cmp"
	"time"

	"github.com/landmark-health/landmark/internal/collector"
)

// An Alive is a landmark in a loop that never sleeps for long: it fails when the
// loop did not pass it within its time. For a loop that may sleep, use a [Loop].
//
// An Alive is safe for concurrent use, and does nothing when nil.
type Alive struct {
	passes      counter
	site        site
	declaration collector.Declaration
	set         *Set
}

// Alive declares a landmark that the program passes at least once within the
// given time, 100 ms to 24 h.
func (s *Set) Alive(name string, within time.Duration, opts ...Option) *Alive {
	if s == nil {
		return nil
	}
	a := &Alive{
		declaration: collector.Declaration{
			Name: name, Kind: collector.KindAlive, Impact: uint8(Critical), Within: within,
		},
		set: s,
	}
	a.passes.start()
	for _, o := range opts {
		o.apply(&a.declaration)
	}
	s.declare(collector.Landmark{Declaration: a.declaration, Sample: a.sample, Stack: a.site.stack}, a.validate())
	return a
}

// Reach records that the program passes the landmark. It is one atomic addition:
// it never blocks and does not allocate. Call it only from the code whose work
// the landmark shows.
func (a *Alive) Reach() {
	if a == nil {
		return
	}
	if a.passes.add() { // the first pass, or one that may be late
		a.site.record()
		a.passes.wake(a.set)
	}
}

func (a *Alive) validate() error {
	return cmp.Or(validate(a.declaration), checkWithin(a.declaration.Within))
}

func (a *Alive) sample(now time.Time) collector.Sample {
	return a.passes.sample(now, a.declaration.Within)
}
