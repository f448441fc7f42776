package judge

import (
	"math"
	"time"
)

// Verdict is the judgement of a service for one aspect. It holds until Next.
type Verdict struct {
	Status  Status
	Cause   Cause
	Weight  uint8   // % of capacity, 0-100; 0 exactly when not Serving
	Failing uint8   // failing landmarks, at most 255
	FactsAt Instant // of the oldest facts that count
	Next    Instant // when time alone changes it, Never if it does not

	// What the reason needs.
	instance      *Instance // the process that gave the cause, nil if none did
	landmark      *Landmark // the landmark that gave the cause, nil if none did; the host's if instance is nil
	multiInstance bool      // the service has several processes, so a reason names the one it is about
	incomplete    bool      // there may be processes that the sidecar does not know about
	stopping      bool      // the service is drained because the sidecar is about to stop
	missing       int       // how many more processes are needed, if all that report are healthy and too few
	hostReadAt    Instant   // when the host's landmarks were last read, if there are any
	recoveredAt   Instant   // when a recovering service becomes serving
}

// Age returns how old the facts are at now. It is 0 if now is before FactsAt:
// a reader may take the time before newer facts arrive.
func (v Verdict) Age(now Instant) time.Duration { return max(0, now.Sub(v.FactsAt)) }

// And returns the verdict on two services together. It has the cause that
// precedes the other, and the age of the older facts.
func (v Verdict) And(w Verdict) Verdict {
	worse := v
	if w.Cause.precedes(v.Cause) {
		worse = w
	}
	worse.Weight = min(v.Weight, w.Weight)
	worse.FactsAt = min(v.FactsAt, w.FactsAt)
	worse.Next = min(v.Next, w.Next)
	worse.Failing = uint8(min(int(v.Failing)+int(w.Failing), math.MaxUint8))
	return worse
}

// UnknownService is the verdict on a name that no service has.
func UnknownService(now Instant) Verdict {
	return Verdict{Status: ServiceUnknown, Cause: UnknownName, FactsAt: now, Next: Never}
}

// NoService is the verdict over all services while there are none.
func NoService(now Instant) Verdict {
	return Verdict{Status: NotServing, Cause: Unreported, FactsAt: now, Next: Never}
}
