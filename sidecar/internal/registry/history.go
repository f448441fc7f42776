package registry

import (
	"slices"
	"time"

	"github.com/landmark-health/landmark/sidecar/internal/judge"
)

const (
	// MaxChanges is how many changes of each service are kept.
	MaxChanges = 64
	// maxShown is how many landmarks are kept with each.
	maxShown = 4
)

// Change is a change of a service's status or cause, in any aspect. It is
// immutable.
type Change struct {
	Time time.Time // by the machine's clock
	// Verdicts are what was told from then on.
	Verdicts [judge.Aspects]Told
	// Landmarks are those that were not well at that moment, the worst first.
	Landmarks []Record
}

// Told is what a verdict says once it is told.
type Told struct {
	Status judge.Status
	Cause  judge.Cause
	Weight uint8
	Reason string
}

// history is the last changes of a service, the oldest first once they are
// unrolled. Its zero value is empty.
type history struct {
	ring []Change
	next int // where the next one goes, once the ring is full
}

// History returns the last changes of the service, the oldest first, MaxChanges
// at most, and whether it is known.
func (r *Registry) History(name string) ([]Change, bool) {
	s := (*r.services.Load())[name]
	if s == nil {
		return nil, false
	}
	s.elapse() // what time alone has changed belongs to it, however late the timer is
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.history.all(), true
}

// note keeps that before became after at the given instant, if anybody could
// have been told another status or cause. The caller holds mu.
func (s *service) note(before, after *snapshot, at judge.Instant) {
	if before.sameCauses(after) {
		return
	}
	_, real := s.clock.Read()
	c := Change{Time: time.Now().Add(-real.Sub(at))}
	for a, st := range after.standings {
		c.Verdicts[a] = Told{st.Status, st.Cause, st.Weight, st.Reason(at)}
	}
	for _, r := range after.records(at) {
		if r.State == judge.OK || len(c.Landmarks) == maxShown {
			break // they come in the order of their states
		}
		r.Landmark = new(*r.Landmark) // or else it would keep all the others of its report
		c.Landmarks = append(c.Landmarks, r)
	}
	s.history.add(c)
}

func (h *history) add(c Change) {
	if len(h.ring) < MaxChanges {
		h.ring = append(h.ring, c)
		return
	}
	h.ring[h.next] = c
	h.next = (h.next + 1) % MaxChanges
}

func (h *history) all() []Change {
	return slices.Concat(h.ring[h.next:], h.ring[:h.next])
}
