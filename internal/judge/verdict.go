package judge

import (
	"math"
	"time"
)

// Verdict is what the facts of a service come to, for one aspect. It stands
// until Next.
type Verdict struct {
	Status  Status
	Cause   Cause
	Weight  uint8   // % of capacity, 0-100; 0 exactly when not Serving
	Failing uint8   // landmarks failing, at most 255
	FactsAt Instant // of the oldest facts that count
	Next    Instant // when time alone changes it, Never if it does not

	instance   *Instance // the process that gave the cause, nil if there is none
	landmark   *Landmark // the landmark that gave the cause, nil if none did; the host's where there is no instance
	crowd      bool      // the service has several processes, so a reason names its own
	incomplete bool      // processes may be missing that the sidecar does not know
	missing    int       // processes, where all that report are well and too few
	read       Instant   // when the host's landmarks were last read, if there are any
	until      Instant   // when a recovering service will be told to be serving
}

// Age returns how old the facts are at now. To a reader whose now is of before
// they came they are new, rather than of the future.
func (v Verdict) Age(now Instant) time.Duration { return max(0, now.Sub(v.FactsAt)) }

// And returns the verdict on two services together: the one whose cause goes
// before decides, the older facts count.
func (v Verdict) And(w Verdict) Verdict {
	worse := v
	if w.Cause.before(v.Cause) {
		worse = w
	}
	worse.Weight = min(v.Weight, w.Weight)
	worse.FactsAt = min(v.FactsAt, w.FactsAt)
	worse.Next = min(v.Next, w.Next)
	worse.Failing = uint8(min(int(v.Failing)+int(w.Failing), math.MaxUint8))
	return worse
}

// UnknownService is the verdict on a service that nobody knows.
func UnknownService(now Instant) Verdict {
	return Verdict{Status: ServiceUnknown, Cause: UnknownName, FactsAt: now, Next: Never}
}

// NoService is the verdict over all services while there is none.
func NoService(now Instant) Verdict {
	return Verdict{Status: NotServing, Cause: Unreported, FactsAt: now, Next: Never}
}
