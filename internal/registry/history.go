package registry

import (
	"slices"
	"time"
	"unsafe"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/quota"
)

const (
	// MaxChanges is the number of changes of each service that are kept.
	MaxChanges = 64
	// maxChangeLandmarks is the number of landmarks that are kept with a change.
	maxChangeLandmarks = 4
	// MaxHistory bounds the memory of all histories together, in bytes, and
	// MaxHistoryPerUser that of one user's services. Above MaxHistory each user may
	// have an equal part of it, and one that has more loses it with its next
	// changes.
	MaxHistory        = 12 << 20
	MaxHistoryPerUser = 4 << 20
)

// Change is a change of a service's status or cause, in any aspect. It is
// immutable.
type Change struct {
	// Number counts the changes of the service, from 1. Evidence refers to it.
	Number uint64
	// Age is the time since the change, by the sidecar's own clock: the machine's
	// time of day may have been set since.
	Age time.Duration
	// Verdicts are those after the change, with the latest weight: a change of
	// weight alone is not kept.
	Verdicts [judge.Aspects]VerdictSummary
	// Landmarks are those that were not OK at that moment, the worst first. Of a
	// process that is gone or silent they are those that were not OK in its last
	// report.
	Landmarks []Landmark
}

// VerdictSummary is what is kept of a verdict.
type VerdictSummary struct {
	Status judge.Status
	Cause  judge.Cause
	Weight uint8
	Reason string
}

// History returns the last changes of the service, the oldest first, MaxChanges at
// most, and whether the service is known.
func (r *Registry) History(name string) (changes []Change, known bool) {
	s := r.service(name)
	if s == nil {
		return nil, false
	}
	s.tick() // the timer may be late for a change that time alone has made
	s.mu.Lock()
	defer s.mu.Unlock()
	_, real := s.clock.Read()
	return s.history.all(real), true
}

// changeAt is a change at an instant. Its Age is not set.
type changeAt struct {
	Change
	at judge.Instant
}

// newChange returns the change after which the snapshot holds. It has no number yet.
func newChange(after *snapshot, at judge.Instant) changeAt {
	var c Change
	for a, r := range after.verdicts {
		reason := r.Reason(at)
		if first := c.Verdicts[0].Reason; a > 0 && reason == first {
			reason = first // keep one string, not three
		}
		c.Verdicts[a] = VerdictSummary{r.Status, r.Cause, r.Weight, reason}
	}
	for _, r := range after.landmarks(at) {
		if r.State == judge.OK || len(c.Landmarks) == maxChangeLandmarks {
			break // the worst states come first
		}
		if r.Presumed {
			continue // its last report shows it healthy, which would contradict the change
		}
		r.Landmark = new(*r.Landmark) // else it keeps all the others of its report
		c.Landmarks = append(c.Landmarks, r)
	}
	return changeAt{c, at}
}

// history is the last changes of a service, the oldest first. Its zero value is
// empty.
type history struct {
	changes  []changeAt
	recorded uint64 // changes, with those that are not kept any more
}

// add numbers and adds a change of a service of the user. It drops the oldest changes
// until the user holds no more than it may, but never the last.
func (h *history) add(c *changeAt, uid uint32, account *quota.Account) {
	h.recorded++
	c.Number = h.recorded
	h.changes = append(h.changes, *c)
	for over := account.Charge(uid, c.size()); len(h.changes) > MaxChanges || over && len(h.changes) > 1; {
		oldest := h.changes[0].size()
		h.changes = slices.Delete(h.changes, 0, 1)
		over = account.Charge(uid, -oldest)
	}
}

// updateWeights gives the last change the weights of the snapshot.
func (h *history) updateWeights(snap *snapshot) {
	if len(h.changes) == 0 {
		return
	}
	last := &h.changes[len(h.changes)-1]
	for a, r := range snap.verdicts {
		last.Verdicts[a].Weight = r.Weight
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

// size returns the memory that the change takes, in bytes.
func (c *changeAt) size() int {
	n := int(unsafe.Sizeof(*c))
	for a, v := range c.Verdicts {
		if a == 0 || v.Reason != c.Verdicts[0].Reason { // else it is the same string
			n += len(v.Reason)
		}
	}
	for _, r := range c.Landmarks {
		n += int(unsafe.Sizeof(r)) + int(unsafe.Sizeof(*r.Landmark)) + len(r.Name) + len(r.Landmark.Reason)
	}
	return n
}
