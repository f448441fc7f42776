package landmark

import (
	"cmp"
	"time"
)

// KindAlive is the kind of an [Alive].
const KindAlive Kind = 1

// An Alive is a landmark in a loop that turns by itself: it fails when the last
// pass is older than it may be. A loop that may sleep takes a [Loop] instead.
//
// An Alive is safe for concurrent use, and does nothing when nil.
type Alive struct {
	passes      tally
	declaration Declaration
	set         *Set
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
	}
	a.passes.begin()
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
	if a.passes.add() {
		a.passes.wake(a.set)
	}
}

func (a *Alive) validate() error {
	return cmp.Or(a.declaration.validate(), checkWithin(a.declaration.Within))
}

func (a *Alive) read(now time.Time) Reading { return a.passes.read(now, a.declaration.Within) }
