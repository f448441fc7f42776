package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/landmark-health/landmark/internal/judge"
)

// ErrConnected is returned to an operator who wants a service forgotten that a
// process reports.
var ErrConnected = errors.New("a process is connected")

// errGone is returned to a session whose service was given back, or taken from
// its user, between its claim and its first report.
var errGone = errors.New("the service is not this user's any more")

// Forget forgets a service that no process reports: whom it belongs to, which
// processes are missed, and an operator's drain. If it is configured it stays, as
// if it was never reported; else it is not known any more. The error wraps
// ErrUnknown, ErrNotOwner or ErrConnected.
func (r *Registry) Forget(name string, operator uint32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.serviceFor(name, operator)
	if err != nil {
		return err
	}
	connected, configured := s.forgetAll()
	switch {
	case connected > 0:
		return fmt.Errorf("%w: %d of %s, which can be forgotten only once they have ended", ErrConnected, connected, name)
	case configured:
		s.changed(s)
		r.signalMembers()
	default:
		r.drop(s)
	}
	return nil
}

// forgetAll forgets all of the service, if no process is connected. A service
// that is not configured is gone then. The caller holds the registry's mu.
func (s *service) forgetAll() (connected int, configured bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.slots {
		if p.session != nil {
			connected++
		}
	}
	configured = s.current.Load().policy.Configured
	if connected > 0 {
		return connected, configured
	}
	s.owner.Store(noOwner)
	s.slots, s.drain = nil, drain{}
	s.retired = !configured
	s.publish()
	return 0, configured
}

// retire gives the service's name back if nothing is left of it but processes
// that have left. The caller holds mu.
func (r *Registry) retire(s *service) bool {
	s.mu.Lock()
	gone := s.idle()
	s.retired = s.retired || gone
	s.mu.Unlock()
	if gone {
		r.drop(s)
	}
	return gone
}

// drop takes a service that is gone out of those that are known. The caller
// holds mu.
func (r *Registry) drop(s *service) {
	services := *r.services.Load()
	if services[s.name] != s {
		return
	}
	left := maps.Clone(services)
	delete(left, s.name)
	r.services.Store(&left)
	s.changed(s)
	r.signalMembers()
	select {
	case r.dropped <- struct{}{}:
	default: // it is said already
	}
}

// Dropped receives once names were given back since the last receipt.
func (r *Registry) Dropped() <-chan struct{} { return r.dropped }

// expired gives the service's name back if its last process said goodbye
// forget_after ago.
func (r *Registry) expired(s *service) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.expires() <= s.clock.Judged() {
		r.retire(s)
	}
}

// idle reports whether no more is left of the service than the places of
// processes that have left: it is not configured, not drained, and nobody
// is connected or awaited. The caller holds mu.
func (s *service) idle() bool {
	return s.current.Load().idle(s.drain.active) && s.noInstances() &&
		!slices.ContainsFunc(s.slots, func(p *slot) bool { return p.vacancy != nil })
}

// idle is the same of what was published, but for an operator's drain.
func (s *snapshot) idle(drained bool) bool {
	return !s.policy.Configured && !drained &&
		!slices.ContainsFunc(s.facts.Instances, func(in *judge.Instance) bool {
			return in.Presence == judge.Connected || in.Presence == judge.Awaited
		})
}

// expires returns when the service's name is to be given back by itself: some
// time after its last process said goodbye. A lost one is missed for as long as
// its name is kept.
func (s *service) expires() judge.Instant {
	shot := s.current.Load()
	if !shot.idle(shot.facts.Drained) {
		return judge.Never
	}
	if len(shot.facts.Instances) == 0 {
		return 0
	}
	since, stopped := shot.idleSince()
	if !stopped {
		return judge.Never
	}
	return since.Add(shot.policy.ForgetAfter) + 1
}

// idleSince returns since when no process has been there, and whether the last one
// said goodbye.
func (s *snapshot) idleSince() (since judge.Instant, stopped bool) {
	stopped = true
	for i, in := range s.facts.Instances {
		if in.Presence == judge.Vacant {
			stopped = false
		}
		if i == 0 || in.Since > since {
			since = in.Since
		}
	}
	return since, stopped
}
