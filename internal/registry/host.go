package registry

import (
	"net/netip"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// HostLandmark is a landmark of the host that a service is on, for the sidecar
// to read by itself, and of what on the host it is: of Address, or of Port.
type HostLandmark struct {
	judge.Declared
	// Address is to be on this host, and, with DirectRouting, to be answered
	// for by nobody's ARP.
	Address       netip.Addr
	DirectRouting bool
	// Port is a TCP port, at one local address or, if that is not valid, at
	// any. A Condition is that it listens, a Deadline that connections to it
	// are accepted in time.
	Port netip.AddrPort
}

// HostReport is what was read of a service's host.
type HostReport struct {
	// Facts are one for each landmark of its policy's Host, in that order.
	Facts []Fact
	// Age is how long before the report it was begun to be read. The facts'
	// own ages are as of the report too.
	Age time.Duration
}

// ReportHost takes what was read of a service's host by the policy that it has.
// Of a service that is not known it takes nothing.
func (r *Registry) ReportHost(name string, seen HostReport) {
	if s := (*r.services.Load())[name]; s != nil {
		s.reportHost(seen)
	}
}

func (s *service) reportHost(seen HostReport) {
	s.mu.Lock()
	s.setHost(s.current.Load().policy, seen)
	news := s.publish()
	s.mu.Unlock()
	if news {
		s.changed(s)
	}
}

// setHost replaces what is known of the host by what was seen of it under the
// policy: without facts, by nothing. The caller holds mu.
func (s *service) setHost(policy *Policy, seen HostReport) {
	_, now := s.clock.Read()
	s.host = judge.Host{ReadAt: now.Add(-seen.Age)}
	for i := range policy.Host {
		l := judge.Landmark{Declared: &policy.Host[i].Declared, At: now}
		if seen.Facts != nil {
			l = seen.Facts[i].landmark(l.Declared, now)
		}
		s.host.Landmarks = append(s.host.Landmarks, l)
	}
}
