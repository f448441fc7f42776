package registry

import (
	"errors"
	"fmt"

	"slices"

	"github.com/landmark-health/landmark/internal/judge"
)

// ErrUnknown is what an operator is told of a service that was neither
// reported nor configured.
var ErrUnknown = errors.New("no such service")

// ErrNoInstances is what an operator is told who wants a drain to end with processes
// that are not there.
var ErrNoInstances = errors.New("no process is there")

// drain is an operator's wish that a service be out.
type drain struct {
	active    bool
	by        uint32 // uid, if it is wanted
	untilGone bool   // it ends with the last process
}

// Drain takes the service out for the operator of the given uid, until Resume:
// its readiness is told to be Draining from now on, whatever processes come and
// go. It reports whether it was not drained before. The error wraps ErrUnknown
// or ErrNotOwner.
func (r *Registry) Drain(name string, operator uint32) (changed bool, err error) {
	return r.order(name, drain{active: true, by: operator}, operator)
}

// DrainUntilGone is Drain, until the last of the service's processes is gone at
// the latest: it is they that are to be stopped. It leaves a Drain as it is. If
// none is there, the error wraps ErrNoInstances.
func (r *Registry) DrainUntilGone(name string, operator uint32) (changed bool, err error) {
	return r.order(name, drain{active: true, by: operator, untilGone: true}, operator)
}

// Resume ends Drain, as Drain begins it.
func (r *Registry) Resume(name string, operator uint32) (changed bool, err error) {
	return r.order(name, drain{}, operator)
}

func (r *Registry) order(name string, wish drain, operator uint32) (changed bool, err error) {
	s, err := r.serviceFor(name, operator)
	if err != nil {
		return false, err
	}
	return s.order(wish)
}

// serviceFor returns the service, or why the operator may not order anything of
// it.
func (r *Registry) serviceFor(name string, operator uint32) (*service, error) {
	s := (*r.services.Load())[name]
	if s == nil {
		return nil, fmt.Errorf("%w: no program has reported %.128q, and it is not configured", ErrUnknown, name)
	}
	if owner := s.owner.Load(); operator != owner && !privileged(operator) {
		return nil, fmt.Errorf("%w: only its owner, root and landmarkd's own user may drain, resume or forget %s, not uid %d", ErrNotOwner, name, operator)
	}
	return s, nil
}

// DrainAll drains all services, those included that are yet to report, for a
// sidecar that is to stop. It is no operator's drain, and ends with the sidecar.
func (r *Registry) DrainAll() {
	r.mu.Lock()
	r.stopping = true
	services := *r.services.Load()
	r.mu.Unlock()
	for _, s := range services {
		s.mu.Lock()
		s.stopping = true
		news := s.publish()
		s.mu.Unlock()
		if news {
			s.changed(s)
		}
	}
}

// order has the operator's wish judged from now on, and reports whether it is
// another than before.
func (s *service) order(wish drain) (changed bool, err error) {
	s.mu.Lock()
	if s.retired {
		s.mu.Unlock()
		return false, fmt.Errorf("%w: %s was given back this moment", ErrUnknown, s.name)
	}
	if wish.untilGone {
		switch {
		case s.noInstances():
			s.mu.Unlock()
			return false, fmt.Errorf("%w: %s has none with which a drain could end: drain it until it is resumed", ErrNoInstances, s.name)
		case s.drain.active || s.stopping:
			s.mu.Unlock()
			return false, nil
		}
	}
	changed = wish.active != (s.drain.active || s.stopping)
	s.drain = wish
	s.stopping = s.stopping && wish.active
	if s.membersChanged != nil {
		s.membersChanged()
	}
	news := s.publish()
	s.mu.Unlock()
	if news {
		s.changed(s)
	}
	return changed, nil
}

// noInstances reports whether no process of the service is there, or may come back
// to a sidecar that has restarted. The caller holds mu.
func (s *service) noInstances() bool {
	return !slices.ContainsFunc(s.slots, func(p *slot) bool { return p.session != nil || p.wasPresent })
}

// facts are those of the service's processes and of its host, and the
// operator's wish. The caller holds mu.
func (s *service) facts() judge.Service {
	return judge.Service{Instances: s.instances(), Host: s.host, Drained: s.drain.active || s.stopping, Incomplete: s.incomplete}
}

// instances are those in the service's places. The caller holds mu.
func (s *service) instances() []*judge.Instance {
	instances := make([]*judge.Instance, len(s.slots))
	for i, p := range s.slots {
		instances[i] = p.instance
	}
	return instances
}
