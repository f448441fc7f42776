package registry

import (
	"github.com/landmark-health/landmark/internal/histogram"
	"github.com/landmark-health/landmark/internal/judge"
)

// LoopLags returns how long the service's Loops took to answer, one duration for each
// answer that a report brought. Of several answers since the report before it, that is
// the last. It returns none for a service without a Loop.
func (r *Registry) LoopLags(name string) histogram.Counts {
	s := r.service(name)
	if s == nil {
		return histogram.Counts{}
	}
	lags := s.lags.Load()
	if lags == nil {
		return histogram.Counts{}
	}
	return lags.Counts()
}

// observeLags counts the answers that are new in a report of the instance. The caller
// holds mu.
func (s *service) observeLags(before, after *judge.Instance) {
	for i := range after.Landmarks {
		l := &after.Landmarks[i]
		if l.Kind != judge.KindLoop || !l.Reached || i < len(before.Landmarks) && sameAnswer(l, &before.Landmarks[i]) {
			continue
		}
		lags := s.lags.Load()
		if lags == nil {
			lags = new(histogram.Durations)
			s.lags.Store(lags)
		}
		lags.Observe(l.Lag)
	}
}

// sameAnswer reports whether the last answers of two reports of a Loop are the same.
func sameAnswer(l, before *judge.Landmark) bool {
	return before.Kind == judge.KindLoop && l.Name == before.Name && l.Count == before.Count
}
