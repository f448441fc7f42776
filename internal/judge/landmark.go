package judge

import "time"

// Kind is how a landmark shows whether the program does its work. The numbers
// are those of the monitoring protocol. The evaluate methods of [Landmark] say
// when each kind fails.
type Kind uint8

// The kinds of landmark.
const (
	KindAlive     Kind = 1 // a loop that runs by itself reaches it in each iteration
	KindDeadline  Kind = 2 // work begins and ends
	KindLoop      Kind = 3 // the main loop answers the get-state command
	KindLevel     Kind = 4 // a number with limits
	KindCondition Kind = 5 // true or false, with a reason
)

// Impact is what a failing landmark affects. The numbers are those of the
// monitoring protocol.
type Impact uint8

// The impacts.
const (
	ImpactCritical      Impact = 1 // liveness and readiness
	ImpactReadiness     Impact = 2 // readiness only
	ImpactDegrading     Impact = 3 // the weight only
	ImpactInformational Impact = 4 // nothing; it is only shown
)

// State is the state of a landmark at an instant. The numbers are those of the
// monitoring protocol.
type State uint8

// The states.
const (
	Unarmed  State = 0 // not reached yet, and still within StartWithin
	OK       State = 1
	Degraded State = 2
	Failing  State = 3
)

// Declared is what the program declared about a landmark, with the policy's
// overrides. It is immutable. All reports between two declarations share it.
type Declared struct {
	Name        string
	Kind        Kind
	Impact      Impact
	Within      time.Duration // Alive: oldest pass; Deadline: longest work; Loop: oldest answer while a command is open
	StartWithin time.Duration // how long it may stay unreached; 0 = no limit
	Limits      Limits        // Level
	TTL         time.Duration // Condition: how long a setting is valid; 0 = until the next
}

// Limits are the limits of a Level; see the message of that name in the schema.
type Limits struct {
	DegradeAt float64
	FailAt    float64
	Below     bool // if the limits are equal: numbers below them fail
}

// lowIsBad reports whether small numbers are the bad ones.
func (m Limits) lowIsBad() bool {
	return m.FailAt < m.DegradeAt || m.FailAt == m.DegradeAt && m.Below
}

// Landmark is a declared landmark and the last report about it.
type Landmark struct {
	*Declared
	Reached    bool          // at least once since its creation
	At         Instant       // when it was last reached; see Fact.age_us in the schema
	Count      uint64        // passes, begun work, answers or settings
	Open       bool          // Loop: a command is open; Deadline: work is open
	EndedHang  bool          // Loop: the landmark was failing when the last answer came
	Pending    uint64        // Deadline: how much work is open
	Lag        time.Duration // Loop: from the last answered command to its answer
	Value      float64       // Level
	Met        bool          // Condition
	Unreadable bool          // of the host: reading it failed
	Reason     string        // Condition: why it is met or not; of the host also what waits, or why reading failed
}

// notYetReached reports whether the program still has to reach the landmark
// before it has started. A Deadline needs no work for that, unless it has a
// StartWithin.
func (l *Landmark) notYetReached() bool {
	return !l.Reached && (l.Kind != KindDeadline || l.StartWithin > 0)
}

// affects reports whether the aspect fails if the landmark fails.
func (l *Landmark) affects(a Aspect) bool {
	switch a {
	case Liveness:
		// The sidecar's own failure to read is no reason to restart a program.
		return l.Impact == ImpactCritical && !l.Unreadable
	default:
		return l.Impact == ImpactCritical || l.Impact == ImpactReadiness
	}
}

// cause returns the cause that a landmark in the given state gives to an aspect
// that it affects.
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

// canBePolled reports whether the get-state command is sent to the landmark
// for a checker that wants younger facts.
func (l Landmark) canBePolled() bool { return l.Kind == KindLoop && l.affects(Readiness) }
