package landmark

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// KindLevel is the kind of a [Level].
const KindLevel Kind = 4

// Limits say which numbers of a [Level] are good. [Above] and [Below] make them.
type Limits struct {
	DegradeAt float64 // where the weight begins to fall, towards FailAt
	FailAt    float64 // where the landmark fails
	Below     bool    // small numbers are the bad ones
}

// Above returns limits for a number that should stay small, as the length of a
// queue: above degradeAt the program gets less work, the less the closer it
// comes to failAt, where the landmark fails. If they are equal it gets all or
// nothing.
func Above(degradeAt, failAt float64) Limits { return Limits{DegradeAt: degradeAt, FailAt: failAt} }

// Below returns limits for a number that should stay large, as the space that
// is left, in the manner of [Above].
func Below(degradeAt, failAt float64) Limits {
	return Limits{DegradeAt: degradeAt, FailAt: failAt, Below: true}
}

// Crossed reports whether a limit lies between two numbers, so that the change
// from the one to the other is news.
func (l Limits) Crossed(from, to float64) bool { return l.zone(from) != l.zone(to) }

// zone returns 0 for a good number, 1 for a degraded and 2 for a failing one.
func (l Limits) zone(n float64) int {
	degrade, fail := l.DegradeAt, l.FailAt
	if l.Below {
		n, degrade, fail = -n, -degrade, -fail
	}
	switch {
	case n >= fail:
		return 2
	case n > degrade:
		return 1
	}
	return 0
}

func (l Limits) validate() error {
	switch {
	case !finite(l.DegradeAt) || !finite(l.FailAt):
		return fmt.Errorf("limits are finite numbers, not %v and %v", l.DegradeAt, l.FailAt)
	case !l.Below && l.FailAt < l.DegradeAt:
		return fmt.Errorf("Above(%v, %v) fails before it degrades; give the smaller number first, or use Below",
			l.DegradeAt, l.FailAt)
	case l.Below && l.FailAt > l.DegradeAt:
		return fmt.Errorf("Below(%v, %v) fails before it degrades; give the larger number first, or use Above",
			l.DegradeAt, l.FailAt)
	}
	return nil
}

func finite(n float64) bool { return !math.IsNaN(n) && !math.IsInf(n, 0) }

// A Level is a number of the program's that has limits: beyond the first the
// program gets less work, and beyond the second the landmark fails. It says
// nothing of whether the program still turns, for the number stays what it was
// last set to.
//
// A Level is safe for concurrent use, and does nothing when nil.
type Level struct {
	settings tally
	number   atomic.Uint64 // the bits of a float64
	_        [cacheLine - 8]byte

	declaration Declaration
	set         *Set
	inquiry     *inquiry // nil unless Asked
}

// A LevelOption sets something of a [Level].
type LevelOption interface {
	applyLevel(*Level)
}

// askedOption is the option that Asked makes.
type askedOption func() float64

func (ask askedOption) applyLevel(l *Level) {
	l.inquiry = new(inquiry)
	if ask != nil {
		l.inquiry.ask = func(context.Context) { l.Set(ask()) }
	}
}

// Asked makes the agent ask for the number: it calls number once for each
// report, in the background, one call at a time. What number returns is the
// program's own word, so let it read what the work itself keeps up to date.
// While a call blocks, the number stays as it is and its age grows; nothing
// else waits for it.
func Asked(number func() float64) LevelOption { return askedOption(number) }

// Level declares a landmark for a number with the given limits, set by
// [Level.Set], or [Asked] for.
func (s *Set) Level(name string, limits Limits, opts ...LevelOption) *Level {
	if s == nil {
		return nil
	}
	l := &Level{
		declaration: Declaration{Name: name, Kind: KindLevel, Impact: Degrading, Limits: limits},
		set:         s,
	}
	l.settings.begin()
	for _, o := range opts {
		o.applyLevel(l)
	}
	s.declare(l.declaration, l)
	return l
}

// Set records the number as it now is. It never blocks and allocates nothing.
// What is not finite, as a quotient by zero, is recorded as the worst number
// there is, so that an error in the arithmetic hides no failure.
func (l *Level) Set(number float64) {
	if l == nil {
		return
	}
	if !finite(number) {
		number = l.declaration.Limits.worst()
	}
	before := math.Float64frombits(l.number.Swap(math.Float64bits(number)))
	if l.settings.add() || l.declaration.Limits.Crossed(before, number) {
		l.settings.wake(l.set)
	}
}

// worst returns the number that is furthest beyond the limits.
func (l Limits) worst() float64 {
	if l.Below {
		return -math.MaxFloat64
	}
	return math.MaxFloat64
}

func (l *Level) validate() error {
	if err := l.declaration.validate(); err != nil {
		return err
	}
	if l.inquiry != nil && l.inquiry.ask == nil {
		return errors.New("Asked was given a nil function; give it one that returns the number")
	}
	return l.declaration.Limits.validate()
}

func (l *Level) read(now time.Time) Reading {
	// The count first: the number is then at least as new.
	r := l.settings.read(now, 0)
	r.Value = math.Float64frombits(l.number.Load())
	return r
}

func (l *Level) asked() *inquiry { return l.inquiry }
