package replay

import (
	"slices"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
)

// ServiceResult is the result for one service.
type ServiceResult struct {
	Name     string
	Recorded Outcome
	// New is the outcome under the other policy, as if what the journal leaves out was
	// always new. Where that may be wrong, Bounded is set, and Most is the outcome as if it
	// was as old as it may have been. What is true is between the two.
	New     Outcome
	Most    Outcome
	Bounded bool
	// Avoided are the recorded takeouts that would not have been, and Added those that the
	// new policy would have added.
	Avoided, Added int
	// Hangs is when a program hung, in the time of day.
	Hangs []Hang
	// Inexact are the landmarks because of which the outcome is bounded.
	Inexact []string
	// Unjudged are the landmarks of the host that the new policy has and the journal does
	// not know.
	Unjudged []string

	hangs []stretch
}

// measure calculates what the outcomes say of the service.
func (s *ServiceResult) measure() {
	hangs := union(s.hangs)
	s.Recorded.measure(hangs)
	s.New.measure(hangs)
	if s.Bounded {
		s.Most.measure(hangs)
	}
	recorded, judged := s.Recorded.takeouts(), s.New.takeouts()
	s.Avoided, s.Added = missing(recorded, judged), missing(judged, recorded)
}

// missing returns how many of the stretches overlap none of the others.
func missing(all, others []stretch) (n int) {
	for _, a := range all {
		if !slices.ContainsFunc(others, func(b stretch) bool { return a.overlap(b) > 0 }) {
			n++
		}
	}
	return n
}

// noteUnjudged notes the landmarks of the host that only the new policy has.
func (s *service) noteUnjudged() {
	if s.given == nil {
		return
	}
	for _, h := range s.given.Host {
		recorded := s.facts.Host != nil && slices.ContainsFunc(s.facts.Host.Landmarks, func(l journal.Landmark) bool {
			return l.Name == h.Name && judge.Kind(l.Kind) == h.Kind
		})
		if !recorded && !slices.Contains(s.result.Unjudged, h.Name) {
			s.result.Unjudged = append(s.result.Unjudged, h.Name)
		}
	}
}
