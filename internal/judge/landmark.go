package judge

import "time"

// Kind is how a landmark shows whether the program does its work. The numbers
// are the monitoring protocol's. How each kind is judged stands in the file of
// its name.
type Kind uint8

// The kinds of landmark.
const (
	KindAlive     Kind = 1 // a loop that turns by itself passes here
	KindDeadline  Kind = 2 // a piece of work begins and ends
	KindLoop      Kind = 3 // the main loop answers the get-state command
	KindLevel     Kind = 4 // a number with limits
	KindCondition Kind = 5 // true or false, with a reason
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

// Declared is what the program declared of a landmark, as the policy has it.
// It is immutable and shared by all reports between two declarations.
type Declared struct {
	Name        string
	Kind        Kind
	Impact      Impact
	Within      time.Duration // Alive: oldest pass; Deadline: longest piece of work; Loop: oldest answer while a command is open
	StartWithin time.Duration // the longest it may stay unreached; 0 = as long as it takes
	Limits      Limits        // Level
	TTL         time.Duration // Condition: how long a setting holds; 0 = until the next
}

// Landmark is a declared landmark and what was last reported of it.
type Landmark struct {
	*Declared
	Reached    bool          // at least once since it was made
	At         Instant       // see the schema's Fact.age_us
	Count      uint64        // passes, pieces of work begun, answers or settings
	Open       bool          // Loop: a command is open; Deadline: a piece of work is
	EndedHang  bool          // Loop: the last answer came when the landmark had failed
	Pending    uint64        // Deadline: pieces of work open
	Lag        time.Duration // Loop: from the last answered command to its answer
	Value      float64       // Level
	Met        bool          // Condition
	Unreadable bool          // of the host: it could not be read
	Reason     string        // Condition: why it is as it is; of the host, also what waits, or why it could not be read
}

// reading is a landmark's judgement at an instant.
type reading struct {
	state State
	share float64 // of its full capacity that the program can use, 0 to 1
	next  Instant // when time alone changes it, Never if it does not
}

// State returns the landmark's state at now, and the instant at which time
// alone changes it, Never if it does not.
func (l *Landmark) State(now Instant) (State, Instant) {
	r := l.read(now)
	return r.state, r.next
}

// awaited reports whether the landmark has yet to be reached before the
// program can be said to have started. Work need not have come for that, unless
// it was to come in time.
func (l *Landmark) awaited() bool {
	return !l.Reached && (l.Kind != KindDeadline || l.StartWithin > 0)
}

// read judges the landmark by itself.
func (l *Landmark) read(now Instant) reading {
	if l.awaited() {
		return l.readUnreached(now)
	}
	switch l.Kind {
	case KindAlive:
		return l.limited(now, l.Within)
	case KindDeadline:
		return l.readDeadline(now)
	case KindLoop:
		return l.readLoop(now)
	case KindLevel:
		return l.readLevel()
	default:
		return l.readCondition(now)
	}
}

// fine is the reading of a landmark that nothing is wrong with.
func fine() reading { return reading{OK, 1, Never} }

// readUnreached judges a landmark that was never reached: it is unarmed for as
// long as it was given to start, then it fails.
func (l *Landmark) readUnreached(now Instant) reading {
	if l.StartWithin == 0 {
		return reading{Unarmed, 1, Never}
	}
	r := l.limited(now, l.StartWithin)
	if r.state == OK {
		r.state = Unarmed
	}
	return r
}

// limited is the reading of a landmark that fails when l.At is older than
// limit.
func (l *Landmark) limited(now Instant, limit time.Duration) reading {
	// "Older than" is strict, so the first failing instant is one past it.
	if due := l.At.Add(limit) + 1; now < due {
		return reading{OK, 1, due}
	}
	return reading{Failing, 0, Never}
}

// cause is what a landmark in the given state does to the aspect.
func (l *Landmark) cause(s State, a Aspect) Cause {
	switch {
	case s == Failing && (l.Kind == KindLevel || l.Kind == KindCondition || l.Unreadable):
		return Failed
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
// a checker who wants younger facts.
func (l Landmark) canBeAsked() bool { return l.Kind == KindLoop && l.bears(Readiness) }

// bears reports whether the landmark's failing counts for the aspect.
func (l *Landmark) bears(a Aspect) bool {
	switch a {
	case Liveness:
		// A sidecar that cannot see is no reason to restart a program.
		return l.Impact == ImpactCritical && !l.Unreadable
	default:
		return l.Impact == ImpactCritical || l.Impact == ImpactReadiness
	}
}
