package recorder

import (
	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// host is what is read of the host, as the journal has it.
type host struct {
	reads     age
	landmarks []landmark
	known     bool
}

func (h *host) advance(now judge.Instant) (late bool) {
	late = h.reads.advance(now)
	for i := range h.landmarks {
		late = h.landmarks[i].age.advance(now) || late
	}
	return late
}

func (h *host) lateEnds(facts *judge.Host) bool {
	if h.reads.late && facts.ReadAt != h.reads.at || len(facts.Landmarks) != len(h.landmarks) {
		return true
	}
	for i := range h.landmarks {
		if l := &h.landmarks[i]; l.age.late && l.renews(&facts.Landmarks[i]) {
			return true
		}
	}
	return false
}

func (h *host) take(facts *judge.Host, policy *registry.Policy, now judge.Instant) (changed bool) {
	if !h.known || h.reads.limit != policy.StaleAfter {
		h.reads = resetAge(h.reads, policy.StaleAfter, now)
		h.known, changed = true, true
	}
	if facts.ReadAt != h.reads.at || !h.reads.running {
		changed = h.reads.renew(true, facts.ReadAt, now) || changed
	}
	if !sameDeclared(h.landmarks, facts.Landmarks) {
		h.landmarks, changed = newLandmarks(h.landmarks, facts.Landmarks, nil, now), true
	}
	for i := range facts.Landmarks {
		changed = h.landmarks[i].take(&facts.Landmarks[i], now) || changed
	}
	return changed
}

func (h *host) line() *journal.Host {
	return &journal.Host{Reads: h.reads.line(), Landmarks: linesOf(h.landmarks)}
}
