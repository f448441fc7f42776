package registry

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"

	"github.com/landmark-health/landmark/internal/judge"
)

const (
	// MaxServicesPerUser is the number of services that one user may have, so that
	// no user can take all the names. Root and the sidecar's own user may have
	// MaxServices.
	MaxServicesPerUser = 2_000
	// reservedServices is the number that other users may not have together, so
	// that root and the sidecar's own user always have room.
	reservedServices = 2_000
)

// NoOwner is the owner of a service that is configured and was never reported.
const NoOwner = math.MaxUint32

// ownUser is the user that the sidecar runs as.
var ownUser = uint32(os.Geteuid())

// errGone is returned to a session whose service was retired, or taken from its
// user, between its claim and its first report.
var errGone = errors.New("the service is not this user's any more")

// privileged reports whether the user is root or the sidecar's own.
func privileged(uid uint32) bool { return uid == 0 || uid == ownUser }

// mayTake reports whether a user may take over a service of another. Privileged
// users may take over any unprivileged user's service, so that no user can occupy
// a name that belongs to another. Anyone may take a service without an owner.
func mayTake(uid, owner uint32) bool {
	return owner == NoOwner || privileged(uid) && !privileged(owner)
}

// authorize returns an error if the agent may not report its service, or there is
// no room for one more.
func (r *Registry) authorize(id AgentID) error {
	if s := r.service(id.Service); s != nil {
		return s.authorize(id)
	}
	_, err := roomFor(*r.services.Load(), id.UID)
	return err
}

// authorize returns an error if the service is another user's.
func (s *service) authorize(id AgentID) error {
	if owner := s.owner.Load(); owner != id.UID && !mayTake(id.UID, owner) {
		return fmt.Errorf("%w: %s is uid %d's, not uid %d's; if it has moved to another user, stop it and run landmark forget %s",
			ErrNotOwner, id.Service, owner, id.UID, id.Service)
	}
	return nil
}

// claim returns the agent's service. It makes a service that is new, and takes
// over one of another user if the agent may.
func (r *Registry) claim(id AgentID) (*service, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.service(id.Service); s != nil {
		if err := s.authorize(id); err != nil {
			return nil, err
		}
		r.signalMembers()
		if owner := s.owner.Swap(id.UID); owner != id.UID && owner != NoOwner {
			s.evict(fmt.Errorf("%w: uid %d took %s from uid %d", ErrNotOwner, id.UID, id.Service, owner))
		}
		return s, nil
	}
	idle, err := roomFor(*r.services.Load(), id.UID)
	if err != nil {
		return nil, err
	}
	if idle != nil && !r.retire(idle) {
		return nil, errGone // its process has just come back: claim again
	}
	s := r.createService(id.Service, id.UID)
	services := maps.Clone(*r.services.Load())
	services[id.Service] = s
	r.services.Store(&services)
	return s, nil
}

// roomFor returns an error if the user may not have one more service. Else it
// returns the service that must be retired first, or nil if there is room: one of
// the same user that no process reports, the longest stopped one first, then the
// longest lost one.
//
// An unprivileged user may have at most as many as are left for the others, so
// that a few users cannot take all the room.
func roomFor(services map[string]*service, uid uint32) (idle *service, err error) {
	own, unprivileged := 0, 0
	for _, s := range services {
		owner := s.owner.Load()
		if owner == uid {
			own++
		}
		if owner != NoOwner && !privileged(owner) {
			unprivileged++
		}
	}
	free := MaxServices - len(services)
	most := MaxServices
	if !privileged(uid) {
		free = min(free, MaxServices-reservedServices-unprivileged)
		most = min(MaxServicesPerUser, free)
	}
	if free > 0 && own < most {
		return nil, nil
	}
	if idle = longestIdle(services, uid); idle != nil {
		return idle, nil
	}
	if free <= 0 {
		return nil, fmt.Errorf("%w services: %d are known, and none is free for uid %d; run landmark forget for services that are gone", ErrLimit, len(services), uid)
	}
	return nil, fmt.Errorf("%w services: uid %d has %d, as many as one user may have; run landmark forget for services that are gone", ErrLimit, uid, own)
}

// longestIdle returns the service of the user that no process has reported for
// longest: of those that stopped, if there is one, else of those that were lost.
func longestIdle(services map[string]*service, uid uint32) (longest *service) {
	var since judge.Instant
	stopped := false
	for _, s := range services {
		snap := s.current.Load()
		if s.owner.Load() != uid || !snap.idle(snap.facts.Drained) {
			continue
		}
		left, goodbye := snap.idleSince()
		if longest == nil || goodbye && !stopped || goodbye == stopped && left < since {
			longest, since, stopped = s, left, goodbye
		}
	}
	return longest
}
