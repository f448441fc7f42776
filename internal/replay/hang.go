package replay

import (
	"time"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
)

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

// samePass is how much the instants of one pass may differ between two lines. It is more
// than journal.Jitter, because several reports may come between them.
const samePass = 2 * journal.Jitter

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
