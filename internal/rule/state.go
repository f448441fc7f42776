package rule

import (
	"math"
	"time"
)

// Result is the evaluation of one landmark at an instant.
type Result struct {
	State    State
	Capacity float64 // how much of its full capacity the program can use, 0 to 1
	Next     Instant // when time alone changes it, Never if it does not
}

// Evaluate evaluates the landmark by itself, whatever its process does.
func (l *Landmark) Evaluate(now Instant) Result {
	switch {
	case l.Triggered:
		return Result{Failing, 0, Never}
	case l.NotYetReached():
		return l.evaluateUnreached(now)
	}
	switch l.Kind {
	case KindAlive:
		return l.failsAfter(now, l.Within)
	case KindDeadline:
		return l.evaluateDeadline(now)
	case KindLoop:
		return l.evaluateLoop(now)
	case KindLevel:
		return l.evaluateLevel()
	default:
		return l.evaluateCondition(now)
	}
}

// healthy is the result for a landmark with nothing wrong.
func healthy() Result { return Result{OK, 1, Never} }

// failsAfter is the result for a landmark that fails when l.At is older than
// limit.
func (l *Landmark) failsAfter(now Instant, limit time.Duration) Result {
	// "Older than" is strict: an age of exactly the limit is still OK.
	if failsAt := l.At.Add(limit) + 1; now < failsAt {
		return Result{OK, 1, failsAt}
	}
	return Result{Failing, 0, Never}
}

// evaluateUnreached evaluates a landmark that was never reached. It is unarmed
// for StartWithin, or for as long as the program extended that, then it fails.
func (l *Landmark) evaluateUnreached(now Instant) Result {
	if l.StartWithin == 0 {
		return Result{Unarmed, 1, Never}
	}
	if failsAt := max(l.At.Add(l.StartWithin), l.ExtendedTo) + 1; now < failsAt {
		return Result{Unarmed, 1, failsAt}
	}
	return Result{Failing, 0, Never}
}

// evaluateDeadline: a Deadline fails when its oldest open work takes longer
// than Within. Without open work it is healthy.
func (l *Landmark) evaluateDeadline(now Instant) Result {
	if l.Open {
		return l.failsAfter(now, l.Within)
	}
	return healthy()
}

// evaluateLoop: a Loop fails when a command is open and the last answer is
// older than Within. An idle loop is healthy. A lag of more than half of Within
// means that the loop has more work than it can do. It lowers the capacity
// linearly, to 0 at Within. The lag of an answer that ended a hang does not
// count: the hang is over, and the next answer shows how much work the loop has.
func (l *Landmark) evaluateLoop(now Instant) Result {
	r := healthy()
	if l.Open {
		r = l.failsAfter(now, l.Within)
	}
	half := l.Within / 2
	if r.State == OK && l.Lag > half && l.Lag <= l.Within && !l.EndedHang {
		r.State, r.Capacity = Degraded, float64(l.Within-l.Lag)/float64(l.Within-half)
	}
	return r
}

// evaluateLevel: from DegradeAt on, a Level lowers the capacity linearly, to 0
// at FailAt. From there on it fails.
func (l *Landmark) evaluateLevel() Result {
	value, degrade, fail := l.Value, l.Limits.DegradeAt, l.Limits.FailAt
	if l.Limits.LowIsBad() {
		value, degrade, fail = -value, -degrade, -fail
	}
	switch {
	case math.IsNaN(value) || value >= fail:
		return Result{Failing, 0, Never}
	case value > degrade:
		return Result{Degraded, (fail - value) / (fail - degrade), Never}
	default:
		return healthy()
	}
}

// evaluateCondition: a Condition fails when it is not met, or when its last
// setting is older than its TTL.
func (l *Landmark) evaluateCondition(now Instant) Result {
	switch {
	case !l.Met:
		return Result{Failing, 0, Never}
	case l.TTL > 0:
		return l.failsAfter(now, l.TTL)
	default:
		return healthy()
	}
}
