package judge

import "time"

// Kind is how a landmark shows whether the program does its work. The numbers
// are the monitoring protocol's.
type Kind uint8

// The kinds of landmark.
const (
	KindAlive Kind = 1 // a loop that turns by itself passes here
	KindLoop  Kind = 3 // the main loop answers the get-state command
)

// Impact is what a failing landmark does to the service. The numbers are the
// monitoring protocol's.
type Impact uint8

// The impacts.
const (
	ImpactCritical      Impact = 1 // liveness and readiness
	ImpactReadiness     Impact = 2 // readiness alone
	ImpactDegrading     Impact = 3 // the weight alone
	ImpactInformational Impact = 4 // nothing; it is shown
)

// State is what a landmark's facts come to at an instant. The numbers are the
// monitoring protocol's.
type State uint8

// The states, from the least to be worried about to the most.
const (
	Unarmed  State = 0 // not reached for the first time, and still allowed not to be
	OK       State = 1
	Degraded State = 2
	Failing  State = 3
)

// Declared is what the program declared of a landmark. It is immutable and
// shared by all reports between two declarations.
type Declared struct {
	Name        string
	Kind        Kind
	Impact      Impact
	Within      time.Duration // Alive: oldest pass; Loop: oldest answer while a command is open
	StartWithin time.Duration // the longest it may stay unreached; 0 = as long as it takes
}

// Landmark is a declared landmark and what was last reported of it.
type Landmark struct {
	*Declared
	Reached bool          // at least once since it was made
	At      Instant       // of the last pass or answer; of the making if never reached
	Count   uint64        // passes or answers
	Open    bool          // Loop: a command was put and is not answered
	Lag     time.Duration // Loop: from the last answered command to its answer
}

// State returns the landmark's state at now, and the instant at which time
// alone changes it, Never if it does not.
func (l Landmark) State(now Instant) (State, Instant) {
	if !l.Reached {
		return l.unreached(now)
	}
	if l.Kind == KindLoop && !l.Open {
		// Nothing was asked of the loop that it has not answered: an idle
		// loop is a healthy one.
		return OK, Never
	}
	return l.limited(now, OK, l.Within)
}

// unreached judges a landmark that was never reached: it is unarmed for as
// long as it was given to start, then it fails.
func (l Landmark) unreached(now Instant) (State, Instant) {
	if l.StartWithin == 0 {
		return Unarmed, Never
	}
	return l.limited(now, Unarmed, l.StartWithin)
}

// limited returns state while l.At is no older than limit, then Failing.
func (l Landmark) limited(now Instant, state State, limit time.Duration) (State, Instant) {
	// "Older than" is strict, so the first failing instant is one past it.
	if due := l.At.Add(limit) + 1; now < due {
		return state, due
	}
	return Failing, Never
}

// cause is what a landmark in the given state does to the aspect.
func (l Landmark) cause(s State, a Aspect) Cause {
	switch {
	case s == Failing:
		return Stalled
	case s == Unarmed && a == Readiness:
		// A process that is starting is alive, but not ready.
		return Starting
	default:
		return None
	}
}

// canBeAsked reports whether the get-state command is put to the landmark for
// an asker who wants younger facts.
func (l Landmark) canBeAsked() bool { return l.Kind == KindLoop && l.bears(Readiness) }

// bears reports whether the landmark's failing counts for the aspect.
func (l Landmark) bears(a Aspect) bool {
	switch a {
	case Liveness:
		return l.Impact == ImpactCritical
	default:
		return l.Impact == ImpactCritical || l.Impact == ImpactReadiness
	}
}
