package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/registry"
)

// How long a connection may wait to be accepted, and a datagram to be read, by default.
const (
	defaultAccept = 2 * time.Second
	defaultRead   = 2 * time.Second
)

// hostEntry holds the keys of one landmark of the host; nil for those left out.
type hostEntry struct {
	address       *netip.Addr
	directRouting *bool
	listening     *netip.AddrPort
	acceptQueue   *netip.AddrPort
	bound         *netip.AddrPort
	receiveQueue  *netip.AddrPort
	within        *time.Duration
	impact        *judge.Impact
}

// hostKeys are the keys of a landmark of the host.
var hostKeys = []key[hostEntry]{
	scalarKey("address", addresses(),
		func(e *hostEntry, a netip.Addr) { e.address = &a }),
	scalarKey("direct_routing", booleans(),
		func(e *hostEntry, b bool) { e.directRouting = &b }),
	scalarKey("listening", ports("TCP"),
		func(e *hostEntry, p netip.AddrPort) { e.listening = &p }),
	scalarKey("accept_queue", ports("TCP"),
		func(e *hostEntry, p netip.AddrPort) { e.acceptQueue = &p }),
	scalarKey("bound", ports("UDP"),
		func(e *hostEntry, p netip.AddrPort) { e.bound = &p }),
	scalarKey("receive_queue", ports("UDP"),
		func(e *hostEntry, p netip.AddrPort) { e.receiveQueue = &p }),
	scalarKey("within", durations(100*time.Millisecond, time.Hour),
		func(e *hostEntry, d time.Duration) { e.within = &d }),
	scalarKey("impact", impacts(),
		func(e *hostEntry, i judge.Impact) { e.impact = &i }),
}

// readHost reads the value of a service's host.
func readHost(r *reader, at path, n ast.Node, s *service) {
	for _, e := range r.mapping(at, n) {
		var entry hostEntry
		found := len(r.problems)
		fill(r, at.to(e.name), e.value, hostKeys, &entry)
		if err := contract.CheckLandmarkName(e.name); err != nil {
			r.fail(e.key, at.to(e.name), "%v", err)
			continue
		}
		if len(r.problems) > found {
			continue // a misspelt key would also be reported as missing
		}
		l, err := entry.landmark(e.name)
		if err != nil {
			r.fail(e.key, at.to(e.name), "%v", err)
			continue
		}
		s.Host = append(s.Host, l)
	}
}

// landmark returns the landmark of the entry.
func (e *hostEntry) landmark(name string) (registry.HostLandmark, error) {
	l := registry.HostLandmark{Declared: judge.Declared{Name: name, Kind: judge.KindCondition, Impact: judge.ImpactReadiness}}
	given := 0
	if e.address != nil {
		given++
		l.Address = *e.address
	}
	if e.listening != nil {
		given++
		l.Port = *e.listening
	}
	if e.acceptQueue != nil {
		given++
		l.Kind, l.Impact, l.Within = judge.KindDeadline, judge.ImpactCritical, defaultAccept
		l.Port = *e.acceptQueue
	}
	if e.bound != nil {
		given++
		l.UDP, l.Port = true, *e.bound
	}
	if e.receiveQueue != nil {
		given++
		l.Kind, l.Impact, l.Within = judge.KindDeadline, judge.ImpactCritical, defaultRead
		l.UDP, l.Port = true, *e.receiveQueue
	}
	switch {
	case given != 1:
		return l, fmt.Errorf("has %d of address, listening, accept_queue, bound and receive_queue: write exactly one, and give each further landmark its own name", given)
	case e.directRouting != nil && e.address == nil:
		return l, errors.New("has direct_routing without an address: write address, or remove direct_routing")
	case e.within != nil && l.Kind != judge.KindDeadline:
		return l, errors.New("has within without an accept_queue or a receive_queue: write one of them, or remove within")
	}
	set(&l.DirectRouting, e.directRouting)
	set(&l.Within, e.within)
	set(&l.Impact, e.impact)
	return l, nil
}

// set stores a value that is given.
func set[T any](to *T, given *T) {
	if given != nil {
		*to = *given
	}
}

// checkHost returns an error if the host's landmarks contradict the rest of the
// policy.
func checkHost(p registry.Policy) error {
	affectsReadiness, names := false, make(map[string]bool)
	for _, l := range p.Host {
		if names[l.Name] {
			return fmt.Errorf("has a probe, which is the landmark %q, and one of that name under host: rename that one", probe.Name)
		}
		names[l.Name] = true
		affectsReadiness = affectsReadiness || l.Impact == judge.ImpactCritical || l.Impact == judge.ImpactReadiness
		if _, both := p.Landmarks[l.Name]; both {
			under := "host"
			if l.Probe != nil {
				under = "probe" // its name is fixed
			}
			return fmt.Errorf("%.128q is under %s and under landmarks, which overrides what a program declares: rename one of the two", l.Name, under)
		}
	}
	if p.Quorum.NoneNeeded && !affectsReadiness {
		return errors.New("has instances: none without a probe, or a landmark under host, whose impact is critical or readiness: write one, or remove instances: none")
	}
	return nil
}

// addresses takes the addresses that a host can have.
func addresses() scalar[netip.Addr] {
	const takes = "an IPv4 or IPv6 address"
	return scalar[netip.Addr]{takes, func(text string) (netip.Addr, error) {
		a, err := netip.ParseAddr(text)
		switch {
		case err != nil:
			return a, fmt.Errorf("%.60q is not an address: write %s, such as 192.0.2.80, without mask and port", text, takes)
		case a.Zone() != "" || a.IsUnspecified() || a.IsMulticast():
			return a, fmt.Errorf("%.60q is not the address of one host: write %s, such as 192.0.2.80", text, takes)
		}
		return a.Unmap(), nil
	}}
}

// ports takes a port, or address and port, of the protocol.
func ports(protocol string) scalar[netip.AddrPort] {
	takes := "a " + protocol + " port from 1 to 65535, or ADDRESS:PORT"
	return scalar[netip.AddrPort]{takes, func(text string) (netip.AddrPort, error) {
		if n, err := strconv.ParseUint(text, 10, 16); err == nil && n > 0 {
			return netip.AddrPortFrom(netip.Addr{}, uint16(n)), nil
		}
		p, err := netip.ParseAddrPort(text)
		if err != nil || p.Port() == 0 || p.Addr().Zone() != "" || p.Addr().IsMulticast() {
			return p, fmt.Errorf("%.60q is not a port: write %s, such as 5400, \"10.0.0.7:5400\" or \"[::]:5400\"", text, takes)
		}
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port()), nil
	}}
}

func booleans() scalar[bool] {
	const takes = "true or false"
	return scalar[bool]{takes, func(text string) (bool, error) {
		switch text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return false, fmt.Errorf("%.40q is not a boolean: write %s", text, takes)
	}}
}
