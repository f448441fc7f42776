package judge

import (
	"math"
	"time"

	"github.com/landmark-health/landmark/internal/rule"
)

// Presence is whether a process still reports.
type Presence uint8

// The presences.
const (
	Connected   Presence = iota
	Vacant               // its connection ended without a goodbye, and no other process took its slot
	SaidGoodbye          // it left on purpose, as the last of its service
	Awaited              // it was there before the sidecar restarted, and may still come back

	Presences = iota
)

// Instance is one process of a service and its last report. It is immutable.
type Instance struct {
	Name       string
	Presence   Presence
	Since      Instant // since when Presence has its value
	ReportedAt Instant // when the process made its last report
	// Started is set once every landmark that affects readiness was reached,
	// and stays set.
	Started bool
	// Draining means that the process wants no new work. It does not count for
	// readiness while there are others that do not drain.
	Draining bool
	// Newcomer means that the process joined beside others and has not started
	// yet. It does not count while it is starting.
	Newcomer bool
	// Seq numbers the slots that were added beside others, without filling a
	// vacancy, in the order of adding. It is 0 for all other slots.
	Seq uint64
	// ReliefSeq is the Seq of this one's relief: the first process that joined while
	// it was failing. It is 0 if none did, or if this one was healthy since.
	ReliefSeq uint64
	// Notifies means that the process sends notifications, and holds no connection.
	Notifies bool
	// StatusText is what the process says of itself, for people.
	StatusText string
	Landmarks  []Landmark
}

// HasStarted reports whether there are landmarks that affect readiness, and all
// of them were reached at least once.
func (in *Instance) HasStarted() bool {
	started, _ := rule.Started(in.Landmarks)
	return started
}

// CanPoll reports whether the get-state command can be sent for the aspect: the
// process counts, and has main loops that all affect the aspect. The
// command goes to all of them, and is answered when all have answered.
func (in *Instance) CanPoll(a Aspect) bool {
	if in.Presence != Connected || in.Newcomer {
		return false
	}
	can := false
	for i := range in.Landmarks {
		l := &in.Landmarks[i]
		if !canBePolled(l) {
			continue
		}
		if !affects(l, a) || !l.Reached {
			return false
		}
		can = true
	}
	return can
}

// LoopWithin returns the smallest Within of the loops that can be polled, or
// the longest duration if there are none.
func (in *Instance) LoopWithin() time.Duration {
	within := time.Duration(math.MaxInt64)
	for i := range in.Landmarks {
		if l := &in.Landmarks[i]; canBePolled(l) {
			within = min(within, l.Within)
		}
	}
	return within
}

// FactsAt returns the instant of the instance's facts for the aspect: the oldest
// answer of a loop that affects the aspect, or the last report if that is older
// or there is no such loop.
func (in *Instance) FactsAt(a Aspect) Instant {
	at := in.ReportedAt
	for i := range in.Landmarks {
		if l := &in.Landmarks[i]; l.Kind == KindLoop && affects(l, a) && l.At < at {
			at = l.At
		}
	}
	return at
}

// causeResult is the evaluation of one instance, or of the host, for one aspect.
type causeResult struct {
	cause    Cause
	landmark *Landmark // the one that gave the cause, nil if none did
	capacity float64   // how much of its full capacity it can use, 0 to 1; an instance with a cause has 0
	next     Instant   // when time alone changes it, Never if it does not
}

// excludesNewcomer reports whether a newcomer with this result does not count
// yet: it is starting, or left before it had started.
func (r causeResult) excludesNewcomer() bool {
	return r.cause == Starting || r.cause == Draining || r.cause == Lost || r.cause == Unreported
}

// evaluate returns the instance's cause for the aspect at now, by precedence.
func (in *Instance) evaluate(p Policy, a Aspect, now Instant) causeResult {
	switch in.Presence {
	case SaidGoodbye:
		return causeResult{cause: Stopped, next: Never}
	case Vacant:
		return causeResult{cause: Lost, next: Never}
	case Awaited:
		return causeResult{cause: Unreported, next: Never}
	}
	if a == Startup {
		return in.evaluateStartup()
	}
	staleAt := in.ReportedAt.Add(p.StaleAfter) + 1
	if now >= staleAt {
		return causeResult{cause: Stale, next: Never}
	}
	r := in.evaluateLandmarks(a, now)
	r.next = min(r.next, staleAt)
	if a == Readiness && in.Draining && Draining.precedes(r.cause) {
		r.cause, r.landmark = Draining, nil
	}
	if r.cause != None {
		r.capacity = 0
	}
	return r
}

// evaluateStartup evaluates whether the process has started.
func (in *Instance) evaluateStartup() causeResult {
	if in.Started {
		return causeResult{cause: None, capacity: 1, next: Never}
	}
	_, unreached := rule.Started(in.Landmarks)
	return causeResult{cause: Starting, landmark: unreached, next: Never}
}

// evaluateLandmarks returns the first cause that the landmarks give, and the
// lowest capacity.
func (in *Instance) evaluateLandmarks(a Aspect, now Instant) causeResult {
	r := causeResult{cause: None, capacity: 1, next: Never}
	affected := false
	for i := range in.Landmarks {
		l := &in.Landmarks[i]
		s := l.Evaluate(now)
		r.next = min(r.next, s.Next)
		if l.Impact != ImpactInformational {
			r.capacity = min(r.capacity, s.Capacity)
		}
		if affects(l, a) {
			affected = true
			r.consider(causeOf(l, s.State, a), l)
		}
	}
	if !affected && a == Readiness {
		// No landmark proves that the program is ready.
		r.cause = Starting
	}
	return r
}

// consider takes the landmark's cause if it precedes the one so far. Of two
// landmarks with the same cause, it takes the one that was reached longer ago.
func (r *causeResult) consider(c Cause, l *Landmark) {
	if c.precedes(r.cause) || c != None && c == r.cause && l.At < r.landmark.At {
		r.cause, r.landmark = c, l
	}
}

// State returns the state of the instance's landmark l at now. All landmarks of
// a process that is gone or silent fail.
func (in *Instance) State(p Policy, l *Landmark, now Instant) State {
	if in.Presence != Connected || now.Sub(in.ReportedAt) > p.StaleAfter {
		return Failing
	}
	return l.Evaluate(now).State
}

// forgotten reports whether the slot has been vacant for so long that its
// process no longer counts.
func (in *Instance) forgotten(p Policy, now Instant) bool {
	return in.Presence == Vacant && now >= in.forgottenAt(p.ForgetAfter)
}

func (in *Instance) forgottenAt(after time.Duration) Instant { return in.Since.Add(after) + 1 }
