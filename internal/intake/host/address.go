package host

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// addressProblem returns the reason that the host cannot use the address, or "" if it
// can.
func addressProblem(a netip.Addr, all []address, links []link) (why string) {
	why = fmt.Sprintf("%s is on no interface of this host: ip addr add %[1]s/%d dev lo, or where it belongs", a, a.BitLen())
	for _, on := range all {
		if on.Addr != a {
			continue
		}
		l := linkOf(on.link, links)
		switch {
		case on.flags&unix.IFA_F_DADFAILED != 0:
			why = fmt.Sprintf("%s is on %s, and on another host, too: duplicate address detection failed", a, l.name)
		case on.flags&unix.IFA_F_TENTATIVE != 0 && on.flags&unix.IFA_F_OPTIMISTIC == 0:
			why = fmt.Sprintf("%s is on %s, and not yet in use: duplicate address detection has not ended", a, l.name)
		case l.flags&unix.IFF_UP == 0:
			why = fmt.Sprintf("%s is on %s, which is down: ip link set %[2]s up", a, l.name)
		default:
			return ""
		}
	}
	return why
}

// arpLeak returns the reason that the host reveals the address to its network, or ""
// if it does not. With direct routing, the host accepts packets to the address but must
// not answer ARP or neighbour discovery for it.
func arpLeak(a netip.Addr, all []address, links []link, forAll arp) (why string) {
	hostScope := true // arp_ignore=3 hides an address of this scope
	for _, on := range all {
		if on.Addr != a {
			continue
		}
		hostScope = hostScope && on.scope == unix.RT_SCOPE_HOST
		l := linkOf(on.link, links)
		if l.resolves() && (a.Is6() || l.arp.combine(forAll).ignore != 8) {
			return fmt.Sprintf("%s is on %s, which answers ARP and neighbour discovery for it: move it to lo (ip addr add %[1]s/%[3]d dev lo)", a, l.name, a.BitLen())
		}
	}
	if a.Is6() {
		return "" // neighbour discovery answers only for the addresses of the interface
	}
	for i := range links {
		l := &links[i]
		if l.flags&unix.IFF_UP == 0 || l.port || !l.resolves() {
			continue
		}
		set := l.arp.combine(forAll)
		switch silent := set.ignore == 1 || set.ignore == 2 || set.ignore == 8 || set.ignore == 3 && hostScope; {
		case !silent:
			return fmt.Sprintf("%s answers ARP for %s, its arp_ignore being %d: sysctl -w net.ipv4.conf.all.arp_ignore=1", l.name, a, set.ignore)
		case set.announce != 2:
			return fmt.Sprintf("%s may announce %s in ARP, its arp_announce being %d: sysctl -w net.ipv4.conf.all.arp_announce=2", l.name, a, set.announce)
		}
	}
	return ""
}

// linkOf returns the interface with the index. An interface that was removed since it
// was read counts as down.
func linkOf(index int, links []link) *link {
	for i := range links {
		if links[i].index == index {
			return &links[i]
		}
	}
	return &link{index: index, name: "an interface that was removed"}
}
