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
	"github.com/landmark-health/landmark/internal/registry"
)

// defaultAccept is how long a connection may wait to be accepted where nothing
// else is said.
const defaultAccept = 2 * time.Second

// hostEntry is what stands under a host landmark's name.
type hostEntry struct {
	address       *netip.Addr
	directRouting *bool
	listening     *netip.AddrPort
	acceptQueue   *netip.AddrPort
	within        *time.Duration
	impact        *judge.Impact
}

// hostKeys are the keys of a landmark of the host.
var hostKeys = []key[hostEntry]{
	scalarKey("address", addresses(),
		func(e *hostEntry, a netip.Addr) { e.address = &a }),
	scalarKey("direct_routing", booleans(),
		func(e *hostEntry, b bool) { e.directRouting = &b }),
	scalarKey("listening", ports(),
		func(e *hostEntry, p netip.AddrPort) { e.listening = &p }),
	scalarKey("accept_queue", ports(),
		func(e *hostEntry, p netip.AddrPort) { e.acceptQueue = &p }),
	scalarKey("within", durations(100*time.Millisecond, time.Hour),
		func(e *hostEntry, d time.Duration) { e.within = &d }),
	scalarKey("impact", impacts(),
		func(e *hostEntry, i judge.Impact) { e.impact = &i }),
}

// readHost reads what stands under a service's host:.
func readHost(r *reader, at path, n ast.Node, p *registry.Policy) {
	for _, e := range r.mapping(at, n) {
		var entry hostEntry
		found := len(r.problems)
		fill(r, at.to(e.name), e.value, hostKeys, &entry)
		if err := contract.CheckLandmarkName(e.name); err != nil {
			r.fail(e.key, at.to(e.name), "%v", err)
			continue
		}
		if len(r.problems) > found {
			continue // else what is missing might be told of what is only misspelt
		}
		l, err := entry.landmark(e.name)
		if err != nil {
			r.fail(e.key, at.to(e.name), "%v", err)
			continue
		}
		p.Host = append(p.Host, l)
	}
}

// landmark is the landmark that the entry stands for.
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
	switch {
	case given != 1:
		return l, fmt.Errorf("says %d of address, listening and accept_queue: write one of them; what else is to be looked at gets a name of its own", given)
	case e.directRouting != nil && e.address == nil:
		return l, errors.New("direct_routing says how the host has an address, and there is none: take it out, or write address")
	case e.within != nil && e.acceptQueue == nil:
		return l, errors.New("within is how long a connection may wait in an accept_queue, and there is none: take it out, or write accept_queue")
	}
	set(&l.DirectRouting, e.directRouting)
	set(&l.Within, e.within)
	set(&l.Impact, e.impact)
	return l, nil
}

func set[T any](to *T, given *T) {
	if given != nil {
		*to = *given
	}
}

// checkHost returns an error if the host's landmarks and the rest of the policy
// do not go together.
func checkHost(p registry.Policy) error {
	vouches := false
	for _, l := range p.Host {
		vouches = vouches || l.Impact == judge.ImpactCritical || l.Impact == judge.ImpactReadiness
		if _, both := p.Landmarks[l.Name]; both {
			return fmt.Errorf("%.128q stands under host and under landmarks, which overrules what a program declares: give one of them another name", l.Name)
		}
	}
	if p.Quorum.NoneNeeded && !vouches {
		return errors.New("with instances: none, nothing vouches for the service but a landmark under host whose impact is critical or readiness: write one, or take instances: none out")
	}
	return nil
}

// addresses are the addresses that a host can have.
func addresses() scalar[netip.Addr] {
	const takes = "an IPv4 or IPv6 address"
	return scalar[netip.Addr]{takes, func(text string) (netip.Addr, error) {
		a, err := netip.ParseAddr(text)
		switch {
		case err != nil:
			return a, fmt.Errorf("%.60q is not an address: write %s, such as 192.0.2.80, with no mask and no port", text, takes)
		case a.Zone() != "" || a.IsUnspecified() || a.IsMulticast():
			return a, fmt.Errorf("%.60q is no address of one host: write %s, such as 192.0.2.80", text, takes)
		}
		return a.Unmap(), nil
	}}
}

// ports are the places where a program can listen.
func ports() scalar[netip.AddrPort] {
	const takes = "a TCP port from 1 to 65535, or ADDRESS:PORT"
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
		return false, fmt.Errorf("%.40q is neither: write %s", text, takes)
	}}
}
