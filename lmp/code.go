package lmp

import "strconv"

// Kind is the kind of a request and of its answer. On the wire an answer's kind has
// 0x80 added.
type Kind uint8

const (
	KindCheck    Kind = 1 // the status now
	KindWatch    Kind = 2 // the status now, then each change; TCP only
	KindDescribe Kind = 3 // the status now, with the reason and the landmarks
)

// String returns the kind's name, such as "check".
func (k Kind) String() string { return name(kindNames[:], uint8(k), "kind") }

var kindNames = [...]string{KindCheck: "check", KindWatch: "watch", KindDescribe: "describe"}

// Status is the status of a service, as in grpc.health.v1. Any status other than
// StatusServing, including a number that this version does not know, means not serving.
type Status uint8

const (
	StatusUnknown        Status = 0
	StatusServing        Status = 1
	StatusNotServing     Status = 2
	StatusUnknownService Status = 3 // the server knows no service of that name
)

// String returns the status's name, such as "not serving".
func (s Status) String() string { return name(statusNames[:], uint8(s), "status") }

var statusNames = [...]string{
	StatusUnknown:        "unknown",
	StatusServing:        "serving",
	StatusNotServing:     "not serving",
	StatusUnknownService: "unknown service",
}

// Cause is why a service has its status.
type Cause uint8

const (
	CauseNone           Cause = 0
	CauseStarting       Cause = 1
	CauseStalled        Cause = 2  // an alive, deadline or loop landmark fails
	CauseFailed         Cause = 3  // a level or condition landmark fails
	CauseLost           Cause = 4  // the program's connection ended without a goodbye
	CauseStopped        Cause = 5  // the program said goodbye
	CauseDraining       Cause = 6  // taken out of service on purpose
	CauseStale          Cause = 7  // the program is connected but does not report
	CauseUnreported     Cause = 8  // configured, but no program has reported it
	CauseRecovering     Cause = 9  // healthy, but not yet for long enough
	CauseUnknownService Cause = 10 // the server knows no service of that name
)

// String returns the cause's name, such as "stalled".
func (c Cause) String() string { return name(causeNames[:], uint8(c), "cause") }

var causeNames = [...]string{
	CauseNone:           "none",
	CauseStarting:       "starting",
	CauseStalled:        "stalled",
	CauseFailed:         "failed",
	CauseLost:           "lost",
	CauseStopped:        "stopped",
	CauseDraining:       "draining",
	CauseStale:          "stale",
	CauseUnreported:     "unreported",
	CauseRecovering:     "recovering",
	CauseUnknownService: "unknown service",
}

// The names of kinds, states and impacts are also those of internal/rule, which this
// package does not import: it needs the standard library alone. A test of the server
// (internal/frontend/lmp) compares the two.

// LandmarkKind is the kind of a landmark: what the program shows with it.
type LandmarkKind uint8

const (
	LandmarkAlive     LandmarkKind = 1 // a loop keeps iterating
	LandmarkDeadline  LandmarkKind = 2 // each piece of work ends in time
	LandmarkLoop      LandmarkKind = 3 // the main loop answers the get-state command
	LandmarkLevel     LandmarkKind = 4 // a number stays within its limits
	LandmarkCondition LandmarkKind = 5 // a condition is met
)

// String returns the kind's name, such as "loop".
func (k LandmarkKind) String() string { return name(landmarkKindNames[:], uint8(k), "kind") }

var landmarkKindNames = [...]string{
	LandmarkAlive:     "alive",
	LandmarkDeadline:  "deadline",
	LandmarkLoop:      "loop",
	LandmarkLevel:     "level",
	LandmarkCondition: "condition",
}

// State is the state of a landmark.
type State uint8

const (
	StateUnarmed  State = 0 // not reached yet, and not late yet
	StateOK       State = 1
	StateDegraded State = 2
	StateFailing  State = 3
)

// String returns the state's name, such as "failing".
func (s State) String() string { return name(stateNames[:], uint8(s), "state") }

var stateNames = [...]string{
	StateUnarmed:  "unarmed",
	StateOK:       "ok",
	StateDegraded: "degraded",
	StateFailing:  "failing",
}

// Impact is what a failing landmark affects.
type Impact uint8

const (
	ImpactCritical      Impact = 1 // liveness and readiness
	ImpactReadiness     Impact = 2 // only readiness
	ImpactDegrading     Impact = 3 // only the weight
	ImpactInformational Impact = 4 // nothing, it is only shown
)

// String returns the impact's name, such as "critical".
func (i Impact) String() string { return name(impactNames[:], uint8(i), "impact") }

var impactNames = [...]string{
	ImpactCritical:      "critical",
	ImpactReadiness:     "readiness",
	ImpactDegrading:     "degrading",
	ImpactInformational: "informational",
}

// name returns names[n], or if there is none the noun and the number, such as
// "cause 42".
func name(names []string, n uint8, noun string) string {
	if int(n) < len(names) && names[n] != "" {
		return names[n]
	}
	return noun + " " + strconv.Itoa(int(n))
}
