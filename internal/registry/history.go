package registry

import (
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
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
	// Age is how long ago it was. Only the sidecar's own clock says that: the
	// machine's time of day may have been set since.
	Age time.Duration
	// Verdicts are what was told from then on, with the last weight: weights
	// alone make no change.
	Verdicts [judge.Aspects]VerdictSummary
	// Landmarks are those that were not well at that moment, the worst first.
	Landmarks []Record
}

// VerdictSummary is what a verdict says once it is told.
type VerdictSummary struct {
	Status judge.Status
	Cause  judge.Cause
	Weight uint8
	Reason string
}

// history is the last changes of a service, the oldest first. Its zero value is
// empty.
type history struct {
	changes []dated
}

// dated is a change, of the instant at. Its Age is not set.
type dated struct {
	Change
	at judge.Instant
}

// History returns the last changes of the service, the oldest first, MaxChanges
// at most, and whether it is known.
func (r *Registry) History(name string) ([]Change, bool) {
	s := (*r.services.Load())[name]
	if s == nil {
		return nil, false
	}
	s.tick() // what time alone has changed belongs to it, however late the timer is
	s.mu.Lock()
	defer s.mu.Unlock()
	_, real := s.clock.Read()
	return s.history.all(real), true
}

// recordChange keeps that before became after at the given instant: as a change, if
// anybody could have been told another status or cause, else as the weight of
// the last one. The caller holds mu.
func (s *service) recordChange(before, after *snapshot, at judge.Instant) {
	if before.sameCauses(after) {
		s.history.updateWeights(after)
		return
	}
	var c Change
	for a, st := range after.verdicts {
		reason := st.Reason(at)
		if first := c.Verdicts[0].Reason; a > 0 && reason == first {
			reason = first // keep one string, not three
		}
		c.Verdicts[a] = VerdictSummary{st.Status, st.Cause, st.Weight, reason}
	}
	for _, r := range after.records(at) {
		if r.State == judge.OK || len(c.Landmarks) == maxShown {
			break // they come in the order of their states
		}
		r.Landmark = new(*r.Landmark) // or else it would keep all the others of its report
		c.Landmarks = append(c.Landmarks, r)
	}
	s.history.add(dated{c, at}, s.owner.Load(), s.account)
}

// add adds a change of a service of the user, and drops the oldest until the
// user's services keep within bounds; but never the last.
func (h *history) add(c dated, uid uint32, e *entry) {
	h.changes = append(h.changes, c)
	for over := e.charge(uid, c.size()); len(h.changes) > MaxChanges || over && len(h.changes) > 1; {
		oldest := h.changes[0].size()
		h.changes = slices.Delete(h.changes, 0, 1)
		over = e.charge(uid, -oldest)
	}
}

// updateWeights gives the last change the weights of the snapshot.
func (h *history) updateWeights(shot *snapshot) {
	if len(h.changes) == 0 {
		return
	}
	last := &h.changes[len(h.changes)-1]
	for a, st := range shot.verdicts {
		last.Verdicts[a].Weight = st.Weight
	}
}

// all returns the changes with their ages at now.
func (h *history) all(now judge.Instant) []Change {
	changes := make([]Change, 0, len(h.changes))
	for _, c := range h.changes {
		c.Age = max(0, now.Sub(c.at))
		changes = append(changes, c.Change)
	}
	return changes
}
