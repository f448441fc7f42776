package page

import (
	"math"
	"strconv"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/sampler"
	"github.com/landmark-health/landmark/internal/terminal"
)

// values are those of a series in JSON, to four digits, null where there is none.
type values []float32

// MarshalJSON implements json.Marshaler.
func (v values) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 6*len(v)+2), '[')
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendFloat(b, f, 'g', 4, 32)
		}
	}
	return append(b, ']'), nil
}

// seriesJSON is the last hour of a landmark.
type seriesJSON struct {
	Name   string  `json:"name"`
	Limit  float64 `json:"limit,omitempty"` // of a Loop, in seconds
	Values values  `json:"values"`
	Shares values  `json:"shares,omitempty"` // of a Level: how near to its limit it was, in percent
}

type plotJSON struct {
	timeJSON
	Name   string       `json:"name"`
	End    int64        `json:"end"`  // when the last value was taken
	Step   int64        `json:"step"` // ms
	Weight values       `json:"weight"`
	Loops  []seriesJSON `json:"loops"`
	Levels []seriesJSON `json:"levels"`
}

// plot returns the event with the last hour, nil if there is none.
func (d *detail) plot(f *feed) []byte {
	if f.config.Plots == nil {
		return nil
	}
	p, ok := f.config.Plots.Plot(d.service)
	if !ok {
		return nil
	}
	v := plotJSON{timeJSON: f.stamp(), Name: d.service, Step: sampler.Step.Milliseconds(), Weight: p.Weight}
	v.End = v.Now - p.Age.Milliseconds()
	for _, l := range p.Landmarks {
		s := seriesJSON{Name: terminal.Printable(l.Name), Values: l.Values}
		if l.Kind == judge.KindLoop {
			s.Limit = l.Within.Seconds()
			v.Loops = append(v.Loops, s)
			continue
		}
		for _, x := range l.Values {
			share := float32(math.NaN())
			if x == x {
				share = float32(100 * levelFraction(l.Limits, float64(x)))
			}
			s.Shares = append(s.Shares, share)
		}
		v.Levels = append(v.Levels, s)
	}
	return f.event("plot", v)
}
