package lmp

import (
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// translate translates the answer to a request into the protocol's. The numbers
// of the judge's statuses, causes, kinds, impacts and states are the protocol's.
func translate(q lmp.Request, a *registry.Answer) lmp.Answer {
	answer := lmp.Answer{
		Kind:      q.Kind,
		Status:    lmp.Status(a.Status),
		Cause:     lmp.Cause(a.Cause),
		Nonce:     q.Nonce,
		Weight:    a.Weight,
		Failing:   a.Failing,
		Age:       a.Age,
		StatusAge: a.StatusAge,
		Changes:   a.Changes,
	}
	if a.Status == judge.Serving {
		answer.Degraded = a.Weight < 100
	}
	if q.Kind == lmp.KindDescribe {
		answer.Reason = a.Reason()
		answer.Landmarks = translateLandmarks(a.Landmarks())
	}
	return answer
}

func translateLandmarks(records []registry.Landmark) []lmp.Landmark {
	landmarks := make([]lmp.Landmark, len(records))
	for i, r := range records {
		landmarks[i] = lmp.Landmark{
			Kind:   lmp.LandmarkKind(r.Kind),
			State:  lmp.State(r.State),
			Impact: lmp.Impact(r.Impact),
			Age:    r.Age,
			Value:  value(r),
			Name:   r.Name,
		}
	}
	return landmarks
}

// value returns the number that the protocol has for a landmark of this kind.
func value(r registry.Landmark) float64 {
	switch r.Kind {
	case judge.KindDeadline:
		return float64(r.Pending)
	case judge.KindLoop:
		return r.Lag.Seconds()
	case judge.KindLevel, judge.KindCondition:
		return r.Value
	default:
		return 0
	}
}
