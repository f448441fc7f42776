package page

import (
	"math"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// fraction returns how near the landmark is to its limit: 0 = as far as it can be, 1 = at it,
// and more beyond.
func fraction(r *registry.Landmark) float64 {
	switch {
	case !r.Reached && r.StartWithin > 0:
		return ratio(r.Age.Seconds(), r.StartWithin.Seconds())
	case !r.Reached && !(r.Kind == judge.KindDeadline && r.Open):
		return 0
	}
	switch r.Kind {
	case judge.KindLevel:
		return levelFraction(r.Limits, r.Value)
	case judge.KindCondition:
		switch {
		case !r.Met:
			return 1
		case r.TTL > 0:
			return ratio(r.Age.Seconds(), r.TTL.Seconds())
		}
		return 0
	case judge.KindDeadline:
		if !r.Open {
			return 0
		}
	case judge.KindLoop:
		if !r.Open || r.State != judge.Failing && r.Lag > r.Age {
			return ratio(r.Lag.Seconds(), r.Within.Seconds())
		}
	}
	return ratio(r.Age.Seconds(), r.Within.Seconds())
}

// levelFraction returns how near the value is to the limit at which the Level fails.
func levelFraction(m judge.Limits, value float64) float64 {
	low := m.LowIsBad()
	switch {
	case math.IsNaN(value):
		return 1
	case !low && m.FailAt > 0:
		return ratio(value, m.FailAt)
	case low && m.FailAt > 0 && value > 0:
		return ratio(m.FailAt, value)
	case low && m.FailAt == 0 && value > 0 && m.DegradeAt > 0:
		return ratio(m.DegradeAt, m.DegradeAt+value)
	case low == (value <= m.FailAt): // beyond the limit, where no ratio says how far
		return 1
	}
	return 0
}

// degradeMark returns where in its bar the landmark begins to lower the weight, 0 if it
// lowers it nowhere.
func degradeMark(r *registry.Landmark) float64 {
	switch {
	case r.Kind == judge.KindLoop:
		return 0.5
	case r.Kind == judge.KindLevel && r.Limits.DegradeAt != r.Limits.FailAt:
		return levelFraction(r.Limits, r.Limits.DegradeAt)
	}
	return 0
}

// maxRatio is more than any bar shows.
const maxRatio = 10

func ratio(value, limit float64) float64 {
	if limit <= 0 {
		return 0
	}
	return min(max(0, value/limit), maxRatio)
}

const (
	// maxBars is how many landmarks of a service are shown beside all services, the
	// worst first.
	maxBars = 64
	// heights is how many heights their bars have.
	heights = 16
	// barDigits write a state and a height as one character, state*heights + height.
	// They are the digits of assets/list.js.
	barDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
)

// barsOf writes the landmarks as bars, with one character for each.
func barsOf(landmarks []registry.Landmark) string {
	landmarks = landmarks[:min(len(landmarks), maxBars)]
	b := make([]byte, len(landmarks))
	for i := range landmarks {
		height := min(heights-1, int(fraction(&landmarks[i])*(heights-1)))
		b[i] = barDigits[int(landmarks[i].State)*heights+height]
	}
	return string(b)
}

// bars returns the event with the bars of the services that differ, and the time. It is
// never nil, so that a page sees that its connection works.
func (o *overview) bars() []byte { return o.barsEvent(o.changedBars()) }

// changedBars returns the bars of the services that differ from the last call.
func (o *overview) changedBars() map[string]string {
	changed := make(map[string]string)
	for name, k := range o.services {
		p, ok := o.config.Source.Status(name)
		if !ok {
			continue
		}
		if bars := barsOf(p.Answers[judge.Readiness].Landmarks()); bars != k.bars {
			k.bars, changed[name] = bars, bars
		}
	}
	return changed
}

func (o *overview) barsEvent(bars map[string]string) []byte {
	return o.event("bars", struct {
		timeJSON
		Bars   map[string]string  `json:"bars"`
		Others []otherCheckerJSON `json:"others,omitempty"`
	}{o.stamp(), bars, o.otherCheckers()})
}
