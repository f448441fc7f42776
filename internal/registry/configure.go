package registry

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/probe"
)

// Policy says how a service is judged, and how it is polled.
type Policy struct {
	judge.Policy
	// Configured services are expected: they are not serving until they are
	// reported.
	Configured bool
	// MaxAge is how old facts may be for a checker that does not say; 0 = any age.
	MaxAge time.Duration
	// PollTimeout is how long a checker waits for the main loops to answer; 0 = the
	// smallest Within of a Loop, at most maxPollTimeout.
	PollTimeout time.Duration
	// Landmarks override what the program declared, by landmark name.
	Landmarks map[string]Override
	// Host are the landmarks that the sidecar reads by itself.
	Host []HostLandmark
}

// DefaultPolicy is the policy of services that are not configured.
var DefaultPolicy = Policy{Policy: judge.DefaultPolicy}

// Override replaces what a program declared of a landmark, field by field, where it
// is not nil. A field that the landmark's kind does not have takes no effect.
type Override struct {
	Impact      *judge.Impact
	Within      *time.Duration
	StartWithin *time.Duration
	TTL         *time.Duration
	DegradeAt   *float64
	FailAt      *float64
}

// Apply returns the declaration under the policy.
func (p Policy) Apply(d judge.Declared) judge.Declared {
	o := p.Landmarks[d.Name]
	override(&d.Impact, o.Impact)
	override(&d.Within, o.Within)
	override(&d.StartWithin, o.StartWithin)
	override(&d.TTL, o.TTL)
	override(&d.Limits.DegradeAt, o.DegradeAt)
	override(&d.Limits.FailAt, o.FailAt)
	return d
}

// applyAll returns all declarations of a program under the policy. Those without an
// override are the program's own.
func (p Policy) applyAll(declaration []judge.Declared) []*judge.Declared {
	applied := make([]*judge.Declared, len(declaration))
	for i := range declaration {
		applied[i] = &declaration[i]
		if _, overridden := p.Landmarks[declaration[i].Name]; overridden {
			applied[i] = new(p.Apply(declaration[i]))
		}
	}
	return applied
}

func override[T any](value, by *T) {
	if by != nil {
		*value = *by
	}
}

// HostLandmark is a landmark that the sidecar reads of a service's host by itself:
// of Address, or of Port.
type HostLandmark struct {
	judge.Declared
	// Address must be on this host and, with DirectRouting, must not be answered for
	// by ARP.
	Address       netip.Addr
	DirectRouting bool
	// Port is a TCP port at a local address, or at any if the address is not valid.
	// A Condition is met while it listens. A Deadline is that connections to it are
	// accepted in time.
	Port netip.AddrPort
	// UDP means that Port is a UDP port. A Condition is met while a socket is bound to
	// it. A Deadline is that what arrives there is read in time.
	UDP bool
	// Probe is an active check of the program.
	Probe *probe.Check
}

// HostReport is what was read of a service's host.
type HostReport struct {
	// Facts are one for each landmark of the policy's Host, in that order.
	Facts []Fact
	// ReadAt is when the reading began. The facts' ages are those at that time, so that
	// no pause of the sidecar between reading and report makes them younger. The age of
	// what was found later in the reading is negative.
	ReadAt judge.Instant
	// Overdue means that an active check by which a landmark is met should have been
	// made again by now. After a pause of the sidecar, that one is waited for.
	Overdue bool
}

// Configure sets the policies of the services, by name. Those without one have
// DefaultPolicy. What is known of a service stays, except for its host: hosts has
// what was read of it under the new policy. A service that has a policy and was
// never reported is not serving. One that has lost its policy and was never reported
// is dropped, unless an operator has drained it.
func (r *Registry) Configure(policies map[string]Policy, hosts map[string]HostReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policies = policies
	before := *r.services.Load()
	services := maps.Clone(before)
	for name, s := range services {
		if _, configured := policies[name]; !configured && s.retireUnreported() {
			delete(services, name)
			s.recordGone()
			continue
		}
		s.configure(r.policyOf(name), hosts[name])
	}
	for name := range policies {
		if services[name] == nil {
			services[name] = r.createService(name, NoOwner)
			services[name].reportHost(hosts[name])
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

// policyOf returns the policy of the service. The caller holds mu.
func (r *Registry) policyOf(name string) *Policy {
	policy, configured := r.policies[name]
	if !configured {
		policy = DefaultPolicy
	}
	policy.Configured = configured
	return &policy
}

// ReportHost takes what was read of a service's host under its present policy. It
// ignores a service that is not known.
func (r *Registry) ReportHost(name string, host HostReport) {
	if s := r.service(name); s != nil {
		s.reportHost(host)
	}
}

// configure replaces the service's policy and what was read of its host, both in
// one step: a mixture of two policies would be neither.
func (s *service) configure(policy *Policy, host HostReport) {
	s.update(func() bool {
		s.policy = policy
		s.setHost(host)
		for _, sl := range s.slots {
			sl.applyPolicy(policy)
		}
		return true
	})
}

func (s *service) reportHost(host HostReport) {
	s.update(func() bool { s.setHost(host); return true })
}

// setHost replaces what is known of the host under the present policy, with nothing
// if there are no facts. The caller holds mu.
func (s *service) setHost(host HostReport) {
	_, real := s.clock.Read()
	s.hostOverdue = host.Overdue
	s.host = judge.Host{ReadAt: host.ReadAt}
	for i := range s.policy.Host {
		l := judge.Landmark{Declared: &s.policy.Host[i].Declared, At: real}
		if host.Facts != nil {
			l = host.Facts[i].landmark(l.Declared, host.ReadAt)
		}
		s.host.Landmarks = append(s.host.Landmarks, l)
	}
}

// UndeclaredOverrides returns the names of landmarks that the service's policy
// overrides and none of its connected instances declares, sorted. Usually they are
// misspelt. It returns none while no instance is connected.
func (r *Registry) UndeclaredOverrides(name string) []string {
	s := r.service(name)
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	undeclared := slices.Sorted(maps.Keys(s.policy.Landmarks))
	connected := false
	for _, sl := range s.slots {
		if len(undeclared) == 0 {
			return nil // mostly at the first instance: a service may have many, with many landmarks
		}
		if sl.session == nil {
			continue
		}
		connected = true
		for _, d := range sl.declaration {
			if i, overridden := slices.BinarySearch(undeclared, d.Name); overridden {
				undeclared = slices.Delete(undeclared, i, i+1)
			}
		}
	}
	if !connected || len(undeclared) == 0 {
		return nil
	}
	return undeclared
}
