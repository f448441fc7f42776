package judge

import (
	"math"
	"time"
)

// History is what the judge keeps about a service from one evaluation to the
// next. All fields but Started are about readiness.
type History struct {
	Serving      bool    // the last verdict was serving
	EverServed   bool    // a verdict was serving at least once
	Healthy      bool    // readiness without damping
	HealthSince  Instant // since when Healthy has its value
	ServingSince Instant // since when Serving is true; far in the past for the first time

	Started bool // the host's landmarks were all healthy at once
}

// damp returns the verdict with damping, and what to keep. A fall counts after
// FallAfter, a recovery after RecoverAfter; then the weight grows for SlowStart.
// An intentional fall counts at once. So does the first serving verdict, with
// its full weight: a restart of the sidecar must not take out a healthy program.
func (p Policy) damp(g aggregate, past History, now Instant) (Verdict, History) {
	healthy := g.verdict.Status == Serving
	if healthy != past.Healthy || past == (History{Started: past.Started}) {
		past.Healthy, past.HealthSince = healthy, now
	}
	switch {
	case healthy && past.Serving:
		return p.ramp(g, past, now), past
	case healthy && !past.EverServed:
		past.Serving, past.EverServed, past.ServingSince = true, true, distantPast
		return p.ramp(g, past, now), past
	case healthy:
		if recoveredAt := past.HealthSince.Add(p.RecoverAfter); now < recoveredAt {
			return g.recovering(recoveredAt), past
		}
		past.Serving, past.ServingSince = true, now
		return p.ramp(g, past, now), past
	case past.Serving && !g.intentional:
		if fallsAt := past.HealthSince.Add(p.FallAfter); now < fallsAt {
			return p.ramp(g, past, now).withFallDeferred(fallsAt), past
		}
	}
	past.Serving = false
	return g.verdict, past
}

// distantPast is so long ago that every slow start is over.
const distantPast Instant = math.MinInt64 / 2

// recovering returns the verdict on a healthy service that becomes serving at
// recoveredAt.
func (g aggregate) recovering(recoveredAt Instant) Verdict {
	v := g.verdict
	v.Status, v.Cause = NotServing, Recovering
	v.recoveredAt = recoveredAt
	v.Next = min(v.Next, recoveredAt)
	return v
}

// withFallDeferred returns the verdict on an unhealthy service that stays
// serving until fallsAt.
func (v Verdict) withFallDeferred(fallsAt Instant) Verdict {
	v.Status, v.Cause = Serving, None
	v.instance, v.landmark, v.missing = nil, nil, 0
	v.Next = min(v.Next, fallsAt)
	return v
}

// ramp returns the verdict on a serving service, with the weight that SlowStart
// allows at now.
func (p Policy) ramp(g aggregate, past History, now Instant) Verdict {
	v := g.verdict
	capacity := g.capacity
	if up := now.Sub(past.ServingSince); up < p.SlowStart {
		capacity *= float64(up) / float64(p.SlowStart)
		v.Next = min(v.Next, past.ServingSince.Add(p.SlowStart), now.Add(max(p.SlowStart/100, minRampStep)))
	}
	v.Weight = weightOf(capacity)
	return v
}

// minRampStep is the shortest time between two changes of a growing weight.
const minRampStep = 100 * time.Millisecond
