// Package rule is the rule that decides from the facts about a landmark whether it fails.
// landmarkd's judge and the agent share it, so that the program's service manager restarts
// what landmarkd reports as failing. It is pure: no clock, no lock, no I/O.
package rule

import (
	"math"
	"time"
)

// Instant is a moment on the caller's clock, in nanoseconds since an origin that only
// that clock knows.
type Instant int64

// Never is later than every other instant.
const Never Instant = math.MaxInt64

// Add returns the instant d after i.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns how long after j i is.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

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

// LowIsBad reports whether small numbers are the bad ones.
func (m Limits) LowIsBad() bool {
	return m.FailAt < m.DegradeAt || m.FailAt == m.DegradeAt && m.Below
}

// Landmark is a declared landmark and the last report about it.
type Landmark struct {
	*Declared
	At         Instant       // when it was last reached; see Fact.age_us in the schema
	Count      uint64        // passes, begun work, answers or settings
	Pending    uint64        // Deadline: how much work is open
	Lag        time.Duration // Loop: from the last answered command to its answer
	Value      float64       // Level
	ExtendedTo Instant       // it may stay unreached until then, even if StartWithin is over
	Reason     string        // Condition: why it is met or not; of the host also what waits, or why reading failed
	Reached    bool          // at least once since its declaration
	Open       bool          // Loop: a command is open; Deadline: work is open
	EndedHang  bool          // Loop: the landmark was failing when the last answer came
	Met        bool          // Condition
	Unreadable bool          // of the host: reading it failed
	Triggered  bool          // Alive: the program has reported that it hangs
}

// NotYetReached reports whether the program still has to reach the landmark
// before it has started. A Deadline needs no work for that, unless it has a
// StartWithin.
func (l *Landmark) NotYetReached() bool {
	return !l.Reached && (l.Kind != KindDeadline || l.StartWithin > 0)
}

// AgeLimit returns how old the landmark may become, 0 if it may become any age.
func (l *Landmark) AgeLimit() time.Duration {
	switch {
	case l.NotYetReached():
		return l.StartWithin
	case l.Kind == KindCondition:
		return l.TTL
	default:
		return l.Within
	}
}

// AffectsLiveness reports whether the program is not alive if the landmark fails. The
// sidecar's own failure to read is no reason to restart a program.
func (l *Landmark) AffectsLiveness() bool { return l.Impact == ImpactCritical && !l.Unreadable }

// AffectsReadiness reports whether the program is not ready if the landmark fails.
func (l *Landmark) AffectsReadiness() bool {
	return l.Impact == ImpactCritical || l.Impact == ImpactReadiness
}

// ShowsWork reports whether a failure of the landmark means that work does not go on,
// rather than that a value is bad.
func (l *Landmark) ShowsWork() bool {
	return l.Kind != KindLevel && l.Kind != KindCondition && !l.Unreadable
}

// Started reports whether there are landmarks that affect readiness, and all of them were
// reached at least once. If not, unreached is the first that was not, nil if no landmark
// affects readiness.
func Started(landmarks []Landmark) (started bool, unreached *Landmark) {
	for i := range landmarks {
		l := &landmarks[i]
		if !l.AffectsReadiness() {
			continue
		}
		if l.NotYetReached() {
			return false, l
		}
		started = true
	}
	return started, nil
}
