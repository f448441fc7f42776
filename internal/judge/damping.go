package judge

import (
	"math"
	"time"
)

// History is what has been of a service: all that the judge needs to remember from
// one evaluation to the next, all but Started of its readiness.
type History struct {
	Serving      bool    // it was told to be serving
	EverServed   bool    // it was told so once at least
	Healthy      bool    // undamped, it was serving
	HealthSince  Instant // since when Well is what it is
	ServingSince Instant // since when it has been told to be serving, the first time aside

	Started bool // the host's landmarks were well, all at once
}

// damp makes of the undamped verdict and of the past what is told: a fall is
// told after fall_after, a recovery after recover_after, and then the weight
// grows for slow_start. A fall on purpose is told at once, and so is the first
// serving verdict, with its full weight: a sidecar that has been restarted
// must not take out a healthy program.
func (p Policy) damp(t tally, past History, now Instant) (Verdict, History) {
	well := t.verdict.Status == Serving
	if well != past.Healthy || past == (History{Started: past.Started}) {
		past.Healthy, past.HealthSince = well, now
	}
	switch {
	case well && past.Serving:
		return p.ramp(t, past, now), past
	case well && !past.EverServed:
		past.Serving, past.EverServed, past.ServingSince = true, true, distant
		return p.ramp(t, past, now), past
	case well:
		if due := past.HealthSince.Add(p.RecoverAfter); now < due {
			return t.recovering(due), past
		}
		past.Serving, past.ServingSince = true, now
		return p.ramp(t, past, now), past
	case past.Serving && !t.unwanted:
		if due := past.HealthSince.Add(p.FallAfter); now < due {
			return p.ramp(t, past, now).holding(due), past
		}
	}
	past.Serving = false
	return t.verdict, past
}

// distant is so long ago that every slow start is over.
const distant Instant = math.MinInt64 / 2

// recovering is the verdict on a service that is well, until due.
func (t tally) recovering(due Instant) Verdict {
	v := t.verdict
	v.Status, v.Cause = NotServing, Recovering
	v.until = due
	v.Next = min(v.Next, due)
	return v
}

// holding is the verdict that is told of a service that is not well, and is not
// yet told to have fallen, until due.
func (v Verdict) holding(due Instant) Verdict {
	v.Status, v.Cause = Serving, None
	v.instance, v.landmark, v.missing = nil, nil, 0
	v.Next = min(v.Next, due)
	return v
}

// ramp is the verdict on a service that is told to be serving, at the weight
// that slow_start lets it have by now.
func (p Policy) ramp(t tally, past History, now Instant) Verdict {
	v := t.verdict
	share := t.share
	if up := now.Sub(past.ServingSince); up < p.SlowStart {
		share *= float64(up) / float64(p.SlowStart)
		v.Next = min(v.Next, past.ServingSince.Add(p.SlowStart), now.Add(max(p.SlowStart/100, minRampStep)))
	}
	v.Weight = weight(share)
	return v
}

// minRampStep bounds how often a growing weight is told.
const minRampStep = 100 * time.Millisecond
