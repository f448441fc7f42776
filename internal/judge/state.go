package judge

import (
	"math"
	"time"
)

// landmarkResult is the evaluation of one landmark at an instant.
type landmarkResult struct {
	state    State
	capacity float64 // how much of its full capacity the program can use, 0 to 1
	next     Instant // when time alone changes it, Never if it does not
}

// State returns the landmark's state at now, and the instant at which time
// alone changes it, Never if it does not.
func (l *Landmark) State(now Instant) (State, Instant) {
	r := l.evaluate(now)
	return r.state, r.next
}

// evaluate evaluates the landmark by itself, whatever its process does.
func (l *Landmark) evaluate(now Instant) landmarkResult {
	if l.notYetReached() {
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
func healthy() landmarkResult { return landmarkResult{OK, 1, Never} }

// failsAfter is the result for a landmark that fails when l.At is older than
// limit.
func (l *Landmark) failsAfter(now Instant, limit time.Duration) landmarkResult {
	// "Older than" is strict: an age of exactly the limit is still OK.
	if failsAt := l.At.Add(limit) + 1; now < failsAt {
		return landmarkResult{OK, 1, failsAt}
	}
	return landmarkResult{Failing, 0, Never}
}

// evaluateUnreached evaluates a landmark that was never reached. It is unarmed
// for StartWithin, then it fails.
func (l *Landmark) evaluateUnreached(now Instant) landmarkResult {
	if l.StartWithin == 0 {
		return landmarkResult{Unarmed, 1, Never}
	}
	r := l.failsAfter(now, l.StartWithin)
	if r.state == OK {
		r.state = Unarmed
	}
	return r
}

// evaluateDeadline: a Deadline fails when its oldest open work takes longer
// than Within. Without open work it is healthy.
func (l *Landmark) evaluateDeadline(now Instant) landmarkResult {
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
func (l *Landmark) evaluateLoop(now Instant) landmarkResult {
	r := healthy()
	if l.Open {
		r = l.failsAfter(now, l.Within)
	}
	half := l.Within / 2
	if r.state == OK && l.Lag > half && l.Lag <= l.Within && !l.EndedHang {
		r.state, r.capacity = Degraded, float64(l.Within-l.Lag)/float64(l.Within-half)
	}
	return r
}

// continueFrom sets EndedHang of a Loop from before, the report before this one.
func (l *Landmark) continueFrom(before *Landmark) {
	l.EndedHang = false
	if l.Kind != KindLoop || before.Kind != KindLoop || l.Name != before.Name {
		return
	}
	switch l.Count {
	case before.Count:
		l.EndedHang = before.EndedHang
	case before.Count + 1:
		l.EndedHang = before.evaluate(l.At).state == Failing
	}
}

// evaluateLevel: from DegradeAt on, a Level lowers the capacity linearly, to 0
// at FailAt. From there on it fails.
func (l *Landmark) evaluateLevel() landmarkResult {
	value, degrade, fail := l.Value, l.Limits.DegradeAt, l.Limits.FailAt
	if l.Limits.lowIsBad() {
		value, degrade, fail = -value, -degrade, -fail
	}
	switch {
	case math.IsNaN(value) || value >= fail:
		return landmarkResult{Failing, 0, Never}
	case value > degrade:
		return landmarkResult{Degraded, (fail - value) / (fail - degrade), Never}
	default:
		return healthy()
	}
}

// evaluateCondition: a Condition fails when it is not met, or when its last
// setting is older than its TTL.
func (l *Landmark) evaluateCondition(now Instant) landmarkResult {
	switch {
	case !l.Met:
		return landmarkResult{Failing, 0, Never}
	case l.TTL > 0:
		return l.failsAfter(now, l.TTL)
	default:
		return healthy()
	}
}

// evaluateOnHost evaluates a landmark of the host. Until it was read, it is
// neither healthy nor failing, whatever its kind.
func (l *Landmark) evaluateOnHost(now Instant) landmarkResult {
	switch {
	case !l.Reached:
		return landmarkResult{Unarmed, 1, Never}
	case l.Unreadable:
		return landmarkResult{Failing, 0, Never}
	default:
		return l.evaluate(now)
	}
}
