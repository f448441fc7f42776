package landmark

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/collector"
)

// A Level is a number of the program that has limits: beyond the first limit the
// program gets less work, and beyond the second the landmark fails. A Level does
// not show whether the program still works, because the number stays as it was
// last set.
//
// A Level is safe for concurrent use, and does nothing when nil.
type Level struct {
	settings counter       // how often the number was set
	number   atomic.Uint64 // the bits of a float64
	_        [cacheLine - 8]byte

	declaration collector.Declaration
	set         *Set
	poller      *poller // nil without Poll
}

// Limits are the limits of a [Level]. [Above] and [Below] return them.
type Limits struct{ limits collector.Limits }

// Above returns limits for a number that should stay small, such as the length of
// a queue. Above degradeAt the program gets less work, and the less the closer the
// number is to failAt. At failAt the landmark fails. If both are equal, the program
// gets full work or none.
func Above(degradeAt, failAt float64) Limits {
	return Limits{collector.Limits{DegradeAt: degradeAt, FailAt: failAt}}
}

// Below returns limits for a number that should stay large, such as free space. It
// works as [Above] does, in the other direction.
func Below(degradeAt, failAt float64) Limits {
	return Limits{collector.Limits{DegradeAt: degradeAt, FailAt: failAt, Below: true}}
}

// A LevelOption sets a property of a [Level].
type LevelOption interface {
	applyLevel(*Level)
}

// pollOption implements Poll.
type pollOption func() float64

func (number pollOption) applyLevel(l *Level) {
	l.poller = new(poller)
	if number != nil {
		l.poller.call = func(context.Context) { l.Set(number()) }
	}
}

// Poll makes the agent get the number from the program: it calls number once for
// each report, in the background, one call at a time. Let number return a value
// that the work itself keeps up to date. While a call blocks, the number stays as
// it is, its age grows, and nothing else waits for the call.
func Poll(number func() float64) LevelOption { return pollOption(number) }

// Level declares a landmark for a number, which the program sets with
// [Level.Set], or the agent gets through [Poll].
func (s *Set) Level(name string, limits Limits, opts ...LevelOption) *Level {
	if s == nil {
		return nil
	}
	l := &Level{
		declaration: collector.Declaration{
			Name: name, Kind: collector.KindLevel, Impact: uint8(Degrading), Limits: limits.limits,
		},
		set: s,
	}
	l.settings.start()
	for _, o := range opts {
		o.applyLevel(l)
	}
	mark := collector.Landmark{Declaration: l.declaration, Sample: l.sample}
	if l.poller != nil {
		mark.CallProgram = l.poller.run
	}
	s.declare(mark, l.validate())
	return l
}

// Set records the number. It never blocks and does not allocate. A number that is
// not finite, such as a division by zero, is recorded as the worst number, so that
// a calculation error does not hide a failure.
func (l *Level) Set(number float64) {
	if l == nil {
		return
	}
	if !finite(number) {
		number = worst(l.declaration.Limits)
	}
	before := math.Float64frombits(l.number.Swap(math.Float64bits(number)))
	if l.settings.add() || l.declaration.Limits.Crossed(before, number) {
		l.settings.wake(l.set)
	}
}

// worst returns the number that is furthest beyond the limits.
func worst(l collector.Limits) float64 {
	if l.Below {
		return -math.MaxFloat64
	}
	return math.MaxFloat64
}

func (l *Level) validate() error {
	if err := validate(l.declaration); err != nil {
		return err
	}
	if l.poller != nil && l.poller.call == nil {
		return errors.New("Poll was given a nil function; give it one that returns the number")
	}
	return validateLimits(l.declaration.Limits)
}

func validateLimits(l collector.Limits) error {
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

func (l *Level) sample(now time.Time) collector.Sample {
	// Read the count first. Then the number is at least as new as the count.
	sample := l.settings.sample(now, 0)
	sample.Value = math.Float64frombits(l.number.Load())
	return sample
}

// A poller calls the program's function of a Level or Condition.
type poller struct {
	// call calls the function and records the result. It is nil only in an invalid
	// declaration.
	call func(context.Context)
	busy atomic.Bool // a call is running
}

// run calls the function, unless a call is running.
func (p *poller) run(ctx context.Context) {
	if !p.busy.CompareAndSwap(false, true) {
		return
	}
	defer p.busy.Store(false)
	p.call(ctx)
}
