package recorder

import (
	"math"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
)

// landmark is one landmark as the journal has it.
type landmark struct {
	declared *judge.Declared // under the policy
	program  judge.Declared  // as the program declares it
	age      age
	count    uint64         // of the last facts
	open     bool           // in the last facts
	written  judge.Landmark // with what is written of it besides its age
}

// sameDeclared reports whether the landmarks are those that are declared.
func sameDeclared(landmarks []landmark, facts []judge.Landmark) bool {
	if len(landmarks) != len(facts) {
		return false
	}
	for i := range facts {
		if d := landmarks[i].declared; d != facts[i].Declared && *d != *facts[i].Declared {
			return false
		}
	}
	return true
}

// newLandmarks returns the landmarks as they are declared now. Of one that was there before
// it keeps the ages.
func newLandmarks(before []landmark, facts []judge.Landmark, declaration []judge.Declared, now judge.Instant) []landmark {
	landmarks := make([]landmark, len(facts))
	for i := range facts {
		d := facts[i].Declared
		l := landmark{declared: d, program: *d, age: newAge(facts[i].AgeLimit())}
		if len(declaration) == len(facts) {
			l.program = declaration[i]
		}
		if i < len(before) && before[i].declared.Name == d.Name {
			l.age, l.count = resetAge(before[i].age, facts[i].AgeLimit(), now), before[i].count
		}
		l.written.Declared = d
		landmarks[i] = l
	}
	return landmarks
}

// running reports whether the landmark grows older, so that it fails some time.
func running(l *judge.Landmark) bool {
	switch {
	case l.AgeLimit() == 0:
		return false
	case l.NotYetReached(), l.Kind == judge.KindAlive:
		return true
	case l.Kind == judge.KindCondition:
		return l.Met
	default:
		return l.Open
	}
}

// renews reports whether the new facts renew the landmark's age.
func (l *landmark) renews(facts *judge.Landmark) bool {
	if running(facts) != l.age.running || facts.Reached != l.written.Reached {
		return true
	}
	// A count identifies the pass, except of work, of which the oldest counts. Landmarks of
	// the host have none.
	if facts.Kind != judge.KindDeadline && facts.Reached && facts.Count > 0 {
		return facts.Count != l.count
	}
	moved := facts.At.Sub(l.age.at)
	return moved > journal.Jitter || moved < -journal.Jitter
}

// take takes new facts, and reports whether a line must say so.
func (l *landmark) take(facts *judge.Landmark, now judge.Instant) (changed bool) {
	l.declared = facts.Declared
	if limit := facts.AgeLimit(); limit != l.age.limit { // it was reached for the first time
		l.age, changed = resetAge(l.age, limit, now), true
	}
	if l.renews(facts) || l.age.failed && now.Sub(facts.At) <= l.age.limit {
		changed = l.age.renew(running(facts), facts.At, now) || changed
	} else {
		l.age.move(facts.At, now)
	}
	l.count = facts.Count
	w := *facts
	// These change with every report. The judge needs none of them except At, which is the
	// age's, and before the landmark is reached that of its declaration.
	// An age that is not late is the same whether it is open or not.
	w.Count, w.Pending, w.Lag, w.EndedHang = 0, 0, 0, false
	w.Open, w.At = false, 0
	l.open = facts.Open
	if w.Kind != judge.KindLevel {
		w.Value = 0 // for people
	}
	if before := &l.written; w.Reason != before.Reason && w.Met == before.Met && w.Unreadable == before.Unreadable && w.Reached == before.Reached {
		w.Reason = before.Reason // it may have numbers in it that always change
	}
	if w.Kind == judge.KindLevel && !l.levelMoved(facts) {
		w.Value = l.written.Value
	}
	if moved := w.ExtendedTo.Sub(l.written.ExtendedTo); moved < 2*journal.Jitter && moved > -2*journal.Jitter {
		w.ExtendedTo = l.written.ExtendedTo
	}
	w.Declared = l.written.Declared
	if w != l.written && !(math.IsNaN(w.Value) && sameButValue(w, l.written)) {
		l.written, changed = w, true
	}
	return changed
}

func sameButValue(a, b judge.Landmark) bool {
	if !math.IsNaN(b.Value) {
		return false
	}
	a.Value, b.Value = 0, 0
	return a == b
}

// levelSteps is the number of steps between the limits of a Level. A number that has moved
// by less than a step is not written.
const levelSteps = 8

// levelMoved reports whether the number of a Level must be written: it fails or does not
// fail any more, or has moved by a step.
func (l *landmark) levelMoved(facts *judge.Landmark) bool {
	before := l.written
	before.Declared = facts.Declared
	if !before.Reached || math.IsNaN(facts.Value) != math.IsNaN(before.Value) {
		return true
	}
	if (before.Evaluate(0).State == judge.Failing) != (facts.Evaluate(0).State == judge.Failing) {
		return true
	}
	step := math.Abs(facts.Limits.FailAt-facts.Limits.DegradeAt) / levelSteps
	if step == 0 {
		step = math.Abs(facts.Limits.FailAt) / levelSteps
	}
	return math.Abs(facts.Value-before.Value) > step
}

func linesOf(landmarks []landmark) []journal.Landmark {
	lines := make([]journal.Landmark, len(landmarks))
	for i := range landmarks {
		lines[i] = landmarks[i].line()
	}
	return lines
}

// line returns what a line of facts says of the landmark.
func (l *landmark) line() journal.Landmark {
	d, w := &l.program, &l.written
	j := journal.Landmark{
		Declared: journal.DeclaredOf(d),
		Reached:  w.Reached, Age: l.age.line(), Open: l.open && l.age.late, Value: journal.Number(w.Value), Met: w.Met,
		Unreadable: w.Unreadable, Triggered: w.Triggered, ExtendedTo: w.ExtendedTo, Reason: w.Reason,
	}
	if !w.Reached {
		j.Age.Late, j.Age.At, j.Age.Known = true, l.age.at, l.age.known // which another policy may limit
	}
	return j
}
