package host

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// addressProblem says why the host does not have the address; empty if it has.
func addressProblem(a netip.Addr, all []address, links []link) (why string) {
	why = fmt.Sprintf("%s is on no interface of this host: ip addr add %[1]s/%d dev lo, or where it belongs", a, a.BitLen())
	for _, on := range all {
		if on.Addr != a {
			continue
		}
		l := linkOf(on.link, links)
		switch {
		case on.flags&unix.IFA_F_DADFAILED != 0:
			why = fmt.Sprintf("%s is on %s, and another host has it too: duplicate address detection failed", a, l.name)
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

// arpLeak says why an address that the host has is not as direct routing wants
// it: taken in by the host, and found by nobody on the network. It is empty if
// it is so.
func arpLeak(a netip.Addr, all []address, links []link, ofAll arp) (why string) {
	ofHost := true // scope: the kernel tells of it nowhere if it is asked not to
	for _, on := range all {
		if on.Addr != a {
			continue
		}
		ofHost = ofHost && on.scope == unix.RT_SCOPE_HOST
		l := linkOf(on.link, links)
		if l.resolves() && (a.Is6() || l.arp.combine(ofAll).ignore != 8) {
			return fmt.Sprintf("%s is on %s, which answers neighbours who look for it: move it to lo (ip addr add %[1]s/%[3]d dev lo)", a, l.name, a.BitLen())
		}
	}
	if a.Is6() {
		return "" // neighbour discovery answers for an interface's own addresses alone
	}
	for i := range links {
		l := &links[i]
		if l.flags&unix.IFF_UP == 0 || l.port || !l.resolves() {
			continue
		}
		set := l.arp.combine(ofAll)
		switch silent := set.ignore == 1 || set.ignore == 2 || set.ignore == 8 || set.ignore == 3 && ofHost; {
		case !silent:
			return fmt.Sprintf("%s answers ARP for %s, its arp_ignore being %d: sysctl -w net.ipv4.conf.all.arp_ignore=1", l.name, a, set.ignore)
		case set.announce != 2:
			return fmt.Sprintf("%s may tell of %s in ARP, its arp_announce being %d: sysctl -w net.ipv4.conf.all.arp_announce=2", l.name, a, set.announce)
		}
	}
	return ""
}

// linkOf is the interface of that index. One that went between two readings is
// down.
func linkOf(index int, links []link) *link {
	for i := range links {
		if links[i].index == index {
			return &links[i]
		}
	}
	return &link{index: index, name: "an interface that is gone"}
}
