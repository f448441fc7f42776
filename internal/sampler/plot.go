package sampler

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// Plot is the last hour of a service. All its series have as many values: one for each
// Step, NaN where there is none, the oldest first.
type Plot struct {
	// Age is the time since the last value.
	Age time.Duration
	// Weight is in percent.
	Weight    []float32
	Landmarks []Series
}

// Series is the values of one landmark.
type Series struct {
	Name string
	// Kind is KindLoop, with the lag in seconds, or KindLevel, with the number.
	Kind   judge.Kind
	Within time.Duration // of a Loop
	Limits judge.Limits  // of a Level
	Values []float32
}

// Plot returns the last hour of the service, and whether there is any of it.
func (s *Sampler) Plot(name string) (Plot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.services[name]
	if v == nil {
		return Plot{}, false
	}
	begin, end := max(v.weight.first, s.next-points), s.next
	p := Plot{Age: time.Since(s.sampled), Weight: v.weight.last(begin, end)}
	for k, l := range v.landmarks {
		p.Landmarks = append(p.Landmarks, Series{k.name, k.kind, l.within, l.limits, l.last(begin, end)})
	}
	slices.SortFunc(p.Landmarks, func(a, b Series) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
	return p, true
}
