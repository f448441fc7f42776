package registry

import "maps"

// Configure gives the services their policies, by name; those that are not
// named have DefaultPolicy. What is known of a service stays, but for what was
// seen of its host: that is what seen says by its name. One that is named
// and was not reported is not serving until it is; one that is named no more
// and never was reported is forgotten, unless an operator has drained it.
func (r *Registry) Configure(policies map[string]Policy, seen map[string]HostReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policies = policies
	before := *r.services.Load()
	services := maps.Clone(before)
	for name, s := range services {
		if _, named := policies[name]; !named && s.retireUnreported() {
			delete(services, name)
			continue
		}
		s.configure(r.policyOf(name), seen[name])
	}
	for name := range policies {
		if services[name] == nil {
			services[name] = r.createService(name, noOwner)
			services[name].reportHost(seen[name])
		}
	}
	r.services.Store(&services)
	r.overall.refresh()
	for name := range services {
		r.subscriptions.wake(name)
	}
	for name := range before {
		if services[name] == nil {
			r.subscriptions.wake(name) // it is unknown now
		}
	}
}

// retireUnreported has the service gone if it was never reported and is not drained, and
// reports whether it is. The caller holds the registry's mu.
func (s *service) retireUnreported() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner.Load() == noOwner && !s.drain.active {
		s.retired = true // an operator who has found it is told so
	}
	return s.retired
}

// policyOf returns the policy of the service. The caller holds mu.
func (r *Registry) policyOf(name string) *Policy {
	policy, named := r.policies[name]
	if !named {
		policy = DefaultPolicy
	}
	policy.Configured = named
	return &policy
}
