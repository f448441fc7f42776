package lmp

import "strconv"

// Kind says what is asked. In an answer the wire has 0x80 added to it.
type Kind uint8

const (
	KindCheck    Kind = 1 // how a service is, now
	KindWatch    Kind = 2 // the same, then every change of it; TCP only
	KindDescribe Kind = 3 // the same, with the reason and the landmarks
)

// String returns the kind's word, as "check".
func (k Kind) String() string { return word(kindWords[:], uint8(k), "kind") }

var kindWords = [...]string{KindCheck: "check", KindWatch: "watch", KindDescribe: "describe"}

// Status is the verdict on a service, after grpc.health.v1. Whatever is not
// StatusServing, a number of a later version included, is not serving.
type Status uint8

const (
	StatusUnknown        Status = 0
	StatusServing        Status = 1
	StatusNotServing     Status = 2
	StatusUnknownService Status = 3 // the server knows no service of that name
)

// String returns the status's words, as "not serving".
func (s Status) String() string { return word(statusWords[:], uint8(s), "status") }

var statusWords = [...]string{
	StatusUnknown:        "unknown",
	StatusServing:        "serving",
	StatusNotServing:     "not serving",
	StatusUnknownService: "unknown service",
}

// Cause says why a service has the status that it has.
type Cause uint8

const (
	CauseNone           Cause = 0
	CauseStarting       Cause = 1
	CauseStalled        Cause = 2  // an alive, deadline or loop landmark fails
	CauseFailed         Cause = 3  // a level or condition landmark fails
	CauseLost           Cause = 4  // the program's connection ended with no goodbye
	CauseStopped        Cause = 5  // the program said goodbye
	CauseDraining       Cause = 6  // taken out on purpose, finishing its work
	CauseStale          Cause = 7  // the program is connected but silent
	CauseUnreported     Cause = 8  // configured, never seen
	CauseRecovering     Cause = 9  // healthy, but not yet for long enough
	CauseUnknownService Cause = 10 // nobody knows the service
)

// String returns the cause's word, as "stalled".
func (c Cause) String() string { return word(causeWords[:], uint8(c), "cause") }

var causeWords = [...]string{
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

// LandmarkKind says how a landmark shows whether the program does its work.
type LandmarkKind uint8

const (
	LandmarkAlive     LandmarkKind = 1 // a loop that turns by itself passes
	LandmarkDeadline  LandmarkKind = 2 // a piece of work begins and ends in time
	LandmarkLoop      LandmarkKind = 3 // the main loop answers the get-state command
	LandmarkLevel     LandmarkKind = 4 // a number with limits
	LandmarkCondition LandmarkKind = 5 // true or false
)

// String returns the kind's word, as "loop".
func (k LandmarkKind) String() string { return word(landmarkKindWords[:], uint8(k), "kind") }

var landmarkKindWords = [...]string{
	LandmarkAlive:     "alive",
	LandmarkDeadline:  "deadline",
	LandmarkLoop:      "loop",
	LandmarkLevel:     "level",
	LandmarkCondition: "condition",
}

// State says how a landmark stands.
type State uint8

const (
	StateUnarmed  State = 0 // not reached yet, and not yet late
	StateOK       State = 1
	StateDegraded State = 2
	StateFailing  State = 3
)

// String returns the state's word, as "failing".
func (s State) String() string { return word(stateWords[:], uint8(s), "state") }

var stateWords = [...]string{
	StateUnarmed:  "unarmed",
	StateOK:       "ok",
	StateDegraded: "degraded",
	StateFailing:  "failing",
}

// Impact says what a failing landmark does to its service.
type Impact uint8

const (
	ImpactCritical      Impact = 1 // liveness and readiness
	ImpactReadiness     Impact = 2 // readiness alone
	ImpactDegrading     Impact = 3 // the weight alone
	ImpactInformational Impact = 4 // nothing; it is shown
)

// String returns the impact's word, as "critical".
func (i Impact) String() string { return word(impactWords[:], uint8(i), "impact") }

var impactWords = [...]string{
	ImpactCritical:      "critical",
	ImpactReadiness:     "readiness",
	ImpactDegrading:     "degrading",
	ImpactInformational: "informational",
}

// word looks a number up in its table of words; a number without a word is told
// as what it is, as "cause 42".
func word(words []string, n uint8, noun string) string {
	if int(n) < len(words) && words[n] != "" {
		return words[n]
	}
	return noun + " " + strconv.Itoa(int(n))
}
