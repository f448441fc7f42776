package registry

import (
	"errors"
	"fmt"
)

// Errors of an operator's orders. They are returned wrapped with what to do.
var (
	ErrUnknown     = errors.New("no such service")
	ErrNoInstances = errors.New("no process is there")
	ErrConnected   = errors.New("still has connected processes")
)

// drain is an operator's order that takes a service out.
type drain struct {
	active    bool
	by        uint32 // uid, if it is active
	untilGone bool   // it ends with the last process
}

// Drain takes the service out until Resume, for the operator with this uid: from
// now on its readiness is Draining, whatever processes come and go. It reports
// whether the service was not drained before. The error wraps ErrUnknown or
// ErrNotOwner.
func (r *Registry) Drain(name string, operator uint32) (changed bool, err error) {
	return r.order(name, drain{active: true, by: operator}, operator)
}

// DrainUntilGone is Drain, but ends when the last of the service's processes has
// gone: it is for processes that are about to be stopped. It leaves a Drain as it
// is. If no process is there, the error wraps ErrNoInstances.
func (r *Registry) DrainUntilGone(name string, operator uint32) (changed bool, err error) {
	return r.order(name, drain{active: true, by: operator, untilGone: true}, operator)
}

// Resume ends a drain. It reports whether there was one. The errors are Drain's.
func (r *Registry) Resume(name string, operator uint32) (changed bool, err error) {
	return r.order(name, drain{}, operator)
}

func (r *Registry) order(name string, d drain, operator uint32) (changed bool, err error) {
	s, err := r.serviceFor(name, operator)
	if err != nil {
		return false, err
	}
	return s.order(d)
}

// serviceFor returns the service, or why the operator may not order anything of it.
func (r *Registry) serviceFor(name string, operator uint32) (*service, error) {
	s := r.service(name)
	if s == nil {
		return nil, fmt.Errorf("%w: no program has reported %.128q, and it is not configured; compare the name with those that landmark status lists", ErrUnknown, name)
	}
	if owner := s.owner.Load(); operator != owner && !privileged(operator) {
		return nil, fmt.Errorf("%w: only its owner, root and landmarkd's own user may drain, resume or forget %s, or see its evidence, not uid %d", ErrNotOwner, name, operator)
	}
	return s, nil
}

// DrainAll drains all services, also those that are yet to report, because the
// sidecar is about to stop. That is no operator's order, and ends with the sidecar.
func (r *Registry) DrainAll() {
	r.mu.Lock()
	r.stopping = true
	services := *r.services.Load()
	r.mu.Unlock()
	for _, s := range services {
		s.update(func() bool { s.stopping = true; return true })
	}
}

// order replaces the operator's order, and reports whether that changed anything.
func (s *service) order(d drain) (changed bool, err error) {
	s.update(func() bool {
		drained := s.drain.active || s.stopping
		switch {
		case s.retired:
			err = fmt.Errorf("%w: %s has just been dropped", ErrUnknown, s.name)
			return false
		case d.untilGone && s.noInstances():
			err = fmt.Errorf("%w: a drain of %s until its last process is gone would never end; drain it until it is resumed", ErrNoInstances, s.name)
			return false
		case d.untilGone && drained:
			return false
		}
		changed = d.active != drained
		s.drain = d
		s.stopping = s.stopping && d.active
		s.hooks.membersChanged()
		return true
	})
	return changed, err
}

// endDrainUntilGone ends a drain that ends with the last instance, if none is
// there. The caller holds mu.
func (s *service) endDrainUntilGone() {
	if s.drain.untilGone && s.noInstances() {
		s.drain = drain{}
	}
}

// Forget forgets a service that no process reports: its owner, its lost processes,
// and an operator's drain. A configured service stays, as if it was never reported.
// Another is dropped. The error wraps ErrUnknown, ErrNotOwner or
// ErrConnected.
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
		return fmt.Errorf("%s %w: %d; stop them first", name, ErrConnected, connected)
	case configured:
		r.serviceChanged(s)
		r.signalMembers()
	default:
		r.drop(s)
	}
	return nil
}

// forgetAll forgets all of the service, unless processes are connected. It retires
// a service that is not configured. The caller holds the registry's mu.
func (s *service) forgetAll() (connected int, configured bool) {
	s.update(func() bool {
		for _, sl := range s.slots {
			if sl.session != nil {
				connected++
			}
		}
		configured = s.policy.Configured
		if connected > 0 {
			return false
		}
		s.owner.Store(NoOwner)
		s.evidence.forget(s)
		s.slots, s.drain = nil, drain{}
		s.retired = !configured
		return true
	})
	return connected, configured
}
