package replay

import (
	"cmp"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
)

// Service is the result for one service.
type Service struct {
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

// Hang is a time in which a program did not do its work for longer than one of the two
// policies allows, from the last time that it did.
type Hang struct{ From, To time.Time }

// noteHangs notes since when the present facts show that a program hangs, and the hangs
// that end at the instant.
func (s *service) noteHangs(at judge.Instant) {
	now := make(map[part]judge.Instant)
	if s.hangLimits == nil {
		s.hangLimits = make(map[part]time.Duration)
	}
	if s.facts != nil {
		s.eachHang(now)
	}
	for p, since := range s.hangs {
		next, goesOn := now[p]
		// Reports of one and the same pass differ by little.
		if goesOn && next.Sub(since) < samePass {
			now[p] = since
			continue
		}
		s.endHang(p, since, at)
		if !goesOn {
			delete(s.hangLimits, p)
		}
	}
	s.hangs = now
}

// samePass is how much the instants of one pass may differ.
const samePass = 10 * time.Millisecond

// eachHang adds since when each part is late that shows a hang.
func (s *service) eachHang(since map[part]judge.Instant) {
	add := func(id uint64, landmarks []journal.Landmark) {
		for i := range landmarks {
			if l := &landmarks[i]; l.Age.Late && l.Reached {
				if limit := s.hangLimit(id, l); limit > 0 {
					since[part{id, l.Name}], s.hangLimits[part{id, l.Name}] = l.Age.At, limit
				}
			}
		}
	}
	for id, p := range s.processes {
		if judge.Presence(p.Presence) != judge.Connected {
			continue
		}
		if p.Reports.Late {
			since[part{id, ""}], s.hangLimits[part{id, ""}] = p.Reports.At, s.staleAfter()
		}
		add(id, p.Landmarks)
	}
	if s.facts.Host != nil {
		add(0, s.facts.Host.Landmarks)
	}
}

// hangLimit returns how old the landmark may become under the stricter of the policies, if
// it shows whether work goes on, and counts for readiness. Else it returns 0.
func (s *service) hangLimit(id uint64, l *journal.Landmark) (limit time.Duration) {
	for _, d := range []*judge.Declared{s.declared(id, l), s.recordedDeclared(id, l)} {
		if d == nil {
			continue
		}
		landmark := judge.Landmark{Declared: d, Unreadable: l.Unreadable}
		if landmark.ShowsWork() && landmark.AffectsReadiness() && (limit == 0 || d.Within < limit) {
			limit = d.Within
		}
	}
	return limit
}

// staleAfter returns how long a process may be silent under the stricter of the policies.
func (s *service) staleAfter() time.Duration {
	if s.recorded == nil {
		return s.policy().StaleAfter
	}
	return min(s.policy().StaleAfter, s.recorded.StaleAfter)
}

// recordedDeclared returns what was declared of the landmark when it was recorded.
func (s *service) recordedDeclared(id uint64, l *journal.Landmark) *judge.Declared {
	if id == 0 {
		return declaredOf(l, nil)
	}
	return declaredOf(l, s.recorded)
}

// endHang keeps the hang if it was longer than one of the policies allows.
func (s *service) endHang(p part, since, at judge.Instant) {
	limit := s.hangLimits[p]
	if limit == 0 || at.Sub(since) <= limit {
		return
	}
	r := &s.player.run
	s.result.hangs = append(s.result.hangs, stretch{r.number, since, at})
	s.result.Hangs = append(s.result.Hangs, Hang{r.timeOf(since), r.timeOf(at)})
}

// measure calculates what the outcomes say of the service.
func (s *Service) measure() {
	hangs := union(s.hangs)
	recorded := s.Recorded.measure(hangs)
	new := s.New.measure(hangs)
	if s.Bounded {
		s.Most.measure(hangs)
	}
	s.Avoided, s.Added = missing(recorded, new), missing(new, recorded)
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

// union returns the stretches in order, with those that overlap as one.
func union(all []stretch) (merged []stretch) {
	slices.SortFunc(all, func(a, b stretch) int { return cmp.Or(cmp.Compare(a.run, b.run), cmp.Compare(a.from, b.from)) })
	for _, s := range all {
		if n := len(merged); n > 0 && merged[n-1].run == s.run && s.from <= merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
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
