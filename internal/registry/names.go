package registry

import (
	"fmt"

	"github.com/landmark-health/landmark/internal/judge"
)

const (
	// MaxServicesPerUser is how many services one user may have, so that no
	// user can take the place of another's. Root and the sidecar's own user may
	// have as many as there may be.
	MaxServicesPerUser = 2_000
	// reservedServices is how many no other users may have together, so that
	// root and the sidecar's own user always find room.
	reservedServices = 2_000
)

// findSlot returns an error if the user may not have one more service, and else
// the service whose name must be given back for it, nil if there is room. That
// is one of the same user's that no process reports: the longest stopped one
// first, then the longest lost one.
//
// No user but root and the sidecar's own may have more than are left for the
// others, so that a few users cannot take them all.
func findSlot(services map[string]*service, uid uint32) (give *service, err error) {
	own, ordinary := 0, 0
	for _, s := range services {
		owner := s.owner.Load()
		if owner == uid {
			own++
		}
		if owner != noOwner && !privileged(owner) {
			ordinary++
		}
	}
	free := MaxServices - len(services)
	most := MaxServices
	if !privileged(uid) {
		free = min(free, MaxServices-reservedServices-ordinary)
		most = min(MaxServicesPerUser, free)
	}
	if free > 0 && own < most {
		return nil, nil
	}
	if give = longestIdle(services, uid); give != nil {
		return give, nil
	}
	if free <= 0 {
		return nil, fmt.Errorf("%w services: %d are known, and uid %d finds no room among them", ErrLimit, len(services), uid)
	}
	return nil, fmt.Errorf("%w services: uid %d has %d, as many as one user may have", ErrLimit, uid, own)
}

// longestIdle returns the user's service that no process has reported for
// longest, of those that stopped if there is any.
func longestIdle(services map[string]*service, uid uint32) (longest *service) {
	var since judge.Instant
	stopped := false
	for _, s := range services {
		shot := s.current.Load()
		if s.owner.Load() != uid || !shot.idle(shot.facts.Drained) {
			continue
		}
		left, goodbye := shot.idleSince()
		if longest == nil || goodbye && !stopped || goodbye == stopped && left < since {
			longest, since, stopped = s, left, goodbye
		}
	}
	return longest
}
