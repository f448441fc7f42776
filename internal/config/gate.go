package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/goccy/go-yaml/ast"

	"github.com/landmark-health/landmark/internal/judge"
)

// MaxGates is how many gates a file may have.
const MaxGates = 64

// Gate is a port that is open while an aspect of a service is SERVING.
type Gate struct {
	Service string
	Aspect  judge.Aspect
	Address netip.AddrPort // unspecified = all addresses, IPv4 and IPv6
}

// Listener is an address of landmarkd's own, which no gate may have, or the path of a
// socket, which no service may have.
type Listener struct {
	Flag    string
	Address string // HOST:PORT
	Path    string // of a Unix socket
}

// gateEntry is what a service's gate says.
type gateEntry struct {
	node   ast.Node // nil = there is no gate
	listen netip.AddrPort
	aspect judge.Aspect
}

// gateKeys are the keys of a gate.
var gateKeys = []key[gateEntry]{
	scalarKey("listen", gateAddresses(),
		func(g *gateEntry, a netip.AddrPort) { g.listen = a }),
	scalarKey("aspect", aspects(),
		func(g *gateEntry, a judge.Aspect) { g.aspect = a }),
}

const gateTakes = "\":PORT\", \"ADDRESS:PORT\", or a mapping of listen and aspect"

// readGate reads the value of a service's gate: an address, or a mapping.
func readGate(r *reader, at path, n ast.Node, s *service) {
	s.gate.node = n
	found := len(r.problems)
	switch text, ok := r.text(n); {
	case ok:
		address, err := gateAddresses().parse(text)
		if err != nil {
			r.fail(n, at, "%v", err)
		}
		s.gate.listen = address
	case describe(r.plain(n)) != "a mapping":
		r.fail(n, at, "is %s: write %s", describe(r.plain(n)), gateTakes)
	default:
		fill(r, at, n, gateKeys, &s.gate)
		if !s.gate.listen.IsValid() && len(r.problems) == found {
			r.fail(n, at, "has no listen: write listen: \":15400\", or another port")
		}
	}
	if len(r.problems) > found {
		s.gate.node = nil
	}
}

// addGate adds a gate to the file, unless its port is taken.
func (f *File) addGate(r *reader, at path, service string, g gateEntry) {
	for _, other := range f.Gates {
		if exclude(g.listen, other.Address) {
			r.fail(g.node, at, "has the port of the gate of %s, %s: give each gate a port of its own", other.Service, showGate(other.Address))
			return
		}
	}
	for _, own := range r.own {
		if address := own.address(); address.IsValid() && exclude(g.listen, address) {
			r.fail(g.node, at, "has the port of landmarkd's own -%s %s: choose another port", own.Flag, own.Address)
			return
		}
	}
	f.Gates = append(f.Gates, Gate{service, g.aspect, g.listen})
}

// has reports whether the listener has the port of the address. A host name may be
// any address.
func (l Listener) has(address netip.AddrPort) bool {
	own := l.address()
	return own.IsValid() && overlap(address, own)
}

// Overlaps reports whether only one socket can listen at the addresses of both listeners.
func (l Listener) Overlaps(other Listener) bool {
	address := other.address()
	return address.IsValid() && address.Port() != 0 && l.has(address)
}

// address returns the address of the listener, invalid if it has no port.
func (l Listener) address() netip.AddrPort {
	host, name, err := net.SplitHostPort(l.Address)
	if err != nil {
		return netip.AddrPort{}
	}
	port, err := net.LookupPort("tcp", name)
	if err != nil {
		return netip.AddrPort{}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		ip = netip.IPv6Unspecified()
	}
	return netip.AddrPortFrom(ip.Unmap().WithZone(""), uint16(port))
}

// overlap reports whether only one socket can listen at both addresses.
func overlap(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && (a.Addr() == b.Addr() || a.Addr().IsUnspecified() || b.Addr().IsUnspecified())
}

// exclude reports whether a gate leaves no place for a listener, or another gate, at the
// address. A gate with one address also binds the wildcard address of the other family.
func exclude(gate, listener netip.AddrPort) bool {
	return overlap(gate, listener) || gate.Port() == listener.Port() && gate.Addr().Is4() != listener.Addr().Is4()
}

// gateAddresses takes the address of a gate.
func gateAddresses() scalar[netip.AddrPort] {
	return scalar[netip.AddrPort]{"\":PORT\" or \"ADDRESS:PORT\"", func(text string) (netip.AddrPort, error) {
		ip := netip.IPv6Unspecified()
		host, number, err := net.SplitHostPort(text)
		if err == nil && host != "" {
			ip, err = netip.ParseAddr(host)
		}
		port, wrong := strconv.ParseUint(number, 10, 16)
		if err != nil || wrong != nil || port == 0 || ip.Zone() != "" || ip.IsMulticast() {
			return netip.AddrPort{}, fmt.Errorf("%.60q is not the address of a gate: write \":15400\" for all addresses, or ADDRESS:PORT with one address, such as \"10.0.0.7:15400\" or \"[2001:db8::7]:15400\"", text)
		}
		if ip = ip.Unmap(); ip.IsUnspecified() {
			ip = netip.IPv6Unspecified() // as net.Listen treats 0.0.0.0
		}
		return netip.AddrPortFrom(ip, uint16(port)), nil
	}}
}

// showGate writes an address as a file has it.
func showGate(a netip.AddrPort) string {
	if a.Addr().IsUnspecified() {
		return fmt.Sprintf(":%d", a.Port())
	}
	return a.String()
}

// aspects takes the names of aspects.
func aspects() scalar[judge.Aspect] {
	const takes = "readiness, liveness or startup"
	return scalar[judge.Aspect]{takes, func(text string) (judge.Aspect, error) {
		for a := range judge.Aspect(judge.Aspects) {
			if text == a.String() {
				return a, nil
			}
		}
		return 0, fmt.Errorf("%.40q is not an aspect: write %s", text, takes)
	}}
}
