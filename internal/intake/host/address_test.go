package host

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	up    = unix.IFF_UP
	quiet = unix.IFF_UP | unix.IFF_NOARP
)

// machine is a host with the interfaces lo, eth0 and dummy0, which may have the
// virtual addresses.
type machine struct {
	on    string // the interface with the virtual addresses, "" = none
	flags uint32 // of the addresses
	scope uint8  // of the addresses
	down  bool   // the interface on is down
	port  bool   // eth0 is a port of a bridge
	all   arp
	eth0  arp
}

var (
	vip  = netip.MustParseAddr("192.0.2.80")
	vip6 = netip.MustParseAddr("2001:db8::80")
)

func (m machine) read() (all []address, links []link) {
	links = []link{
		{index: 1, name: "lo", flags: up | unix.IFF_LOOPBACK},
		{index: 2, name: "eth0", flags: up, arp: m.eth0, port: m.port},
		{index: 3, name: "dummy0", flags: quiet},
		{index: 4, name: "eth1"}, // down, so its settings do not matter
	}
	all = []address{{Addr: netip.MustParseAddr("10.0.0.7"), link: 2}}
	for i := range links {
		if links[i].name != m.on {
			continue
		}
		if m.down {
			links[i].flags &^= up
		}
		for _, a := range []netip.Addr{vip, vip6} {
			all = append(all, address{Addr: a, link: links[i].index, flags: m.flags, scope: m.scope})
		}
	}
	return all, links
}

func TestAddressProblem(t *testing.T) {
	for _, tt := range []struct {
		machine
		why string
	}{
		{machine{on: "lo"}, ""},
		{machine{on: "eth0"}, ""},
		{machine{on: "lo", flags: unix.IFA_F_PERMANENT | unix.IFA_F_OPTIMISTIC | unix.IFA_F_TENTATIVE}, ""},
		{machine{}, "192.0.2.80 is on no interface of this host: ip addr add 192.0.2.80/32 dev lo, or where it belongs"},
		{machine{on: "dummy0", down: true}, "192.0.2.80 is on dummy0, which is down: ip link set dummy0 up"},
		{machine{on: "eth1"}, "192.0.2.80 is on eth1, which is down: ip link set eth1 up"},
		{machine{on: "eth0", flags: unix.IFA_F_TENTATIVE}, "192.0.2.80 is on eth0, and not yet in use: duplicate address detection has not ended"},
		{machine{on: "eth0", flags: unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED}, "192.0.2.80 is on eth0, and on another host, too: duplicate address detection failed"},
	} {
		all, links := tt.read()
		if why := addressProblem(vip, all, links); why != tt.why {
			t.Errorf("%+v: %q, want %q", tt.machine, why, tt.why)
		}
		if why := addressProblem(vip6, all, links); (why == "") != (tt.why == "") {
			t.Errorf("%+v by IPv6: %q", tt.machine, why)
		}
	}
}

// An address that one of several interfaces can use is no problem.
func TestAddressOnOneUsableInterfaceIsNoProblem(t *testing.T) {
	all, links := machine{on: "eth1"}.read()
	all = append(all, address{Addr: vip, link: 1}, address{Addr: vip, link: 9})
	if why := addressProblem(vip, all, links); why != "" {
		t.Error(why)
	}
}

func TestARPLeak(t *testing.T) {
	right := arp{1, 2}
	for _, tt := range []struct {
		machine
		why string
	}{
		{machine{on: "lo", all: right}, ""},
		{machine{on: "dummy0", all: right}, ""},
		{machine{on: "lo", eth0: right}, ""},
		{machine{on: "lo", all: arp{0, 2}, eth0: arp{2, 0}}, ""}, // the larger of both
		{machine{on: "lo", all: arp{8, 2}}, ""},
		{machine{on: "eth0", all: arp{8, 2}}, ""},
		{machine{on: "lo", all: arp{3, 2}, scope: unix.RT_SCOPE_HOST}, ""},
		{machine{on: "lo", port: true}, ""}, // its bridge answers for it

		{machine{on: "lo"}, "eth0 answers ARP for 192.0.2.80, its arp_ignore being 0: sysctl -w net.ipv4.conf.all.arp_ignore=1"},
		{machine{on: "dummy0", all: arp{0, 2}}, "eth0 answers ARP for 192.0.2.80, its arp_ignore being 0: sysctl -w net.ipv4.conf.all.arp_ignore=1"},
		{machine{on: "lo", all: arp{3, 2}}, "eth0 answers ARP for 192.0.2.80, its arp_ignore being 3: sysctl -w net.ipv4.conf.all.arp_ignore=1"},
		{machine{on: "lo", all: arp{4, 2}}, "eth0 answers ARP for 192.0.2.80, its arp_ignore being 4: sysctl -w net.ipv4.conf.all.arp_ignore=1"},
		{machine{on: "lo", all: right, eth0: arp{3, 2}}, "eth0 answers ARP for 192.0.2.80, its arp_ignore being 3: sysctl -w net.ipv4.conf.all.arp_ignore=1"},
		{machine{on: "lo", all: arp{1, 0}, eth0: arp{0, 1}}, "eth0 may announce 192.0.2.80 in ARP, its arp_announce being 1: sysctl -w net.ipv4.conf.all.arp_announce=2"},
		{machine{on: "eth0", all: right}, "192.0.2.80 is on eth0, which answers ARP and neighbour discovery for it: move it to lo (ip addr add 192.0.2.80/32 dev lo)"},
	} {
		all, links := tt.read()
		if why := arpLeak(vip, all, links, tt.all); why != tt.why {
			t.Errorf("%+v: %q, want %q", tt.machine, why, tt.why)
		}
	}
}

func TestARPLeakOfIPv6(t *testing.T) {
	for on, right := range map[string]bool{"lo": true, "dummy0": true, "eth0": false} {
		all, links := machine{on: on}.read()
		if why := arpLeak(vip6, all, links, arp{}); (why == "") != right || !right && !strings.HasSuffix(why, "(ip addr add 2001:db8::80/128 dev lo)") {
			t.Errorf("on %s: %q", on, why)
		}
	}
}

func TestMatchingSockets(t *testing.T) {
	at := func(cookie uint64, a string, v6only bool) listener {
		return listener{cookie: cookie, at: netip.MustParseAddr(a), v6only: v6only}
	}
	all := []listener{at(1, "0.0.0.0", false), at(2, "::", true), at(3, "10.0.0.7", false), at(4, "10.0.0.7", false), at(5, "127.0.0.1", false)}
	dual := []listener{at(6, "::", false)}
	for _, tt := range []struct {
		sockets []listener
		a       string
		want    []uint64
	}{
		{all, "", []uint64{1, 2, 3, 4, 5}},
		{all, "10.0.0.7", []uint64{3, 4}},
		{all, "10.0.0.8", []uint64{1}},
		{all, "0.0.0.0", []uint64{1}},
		{all, "::", []uint64{2}},
		{all, "2001:db8::7", []uint64{2}},
		{all[1:], "10.0.0.8", nil},
		{dual, "10.0.0.8", []uint64{6}},
		{dual, "0.0.0.0", []uint64{6}},
		{all[:1], "::", nil},
		{all[:1], "2001:db8::7", nil},
		{nil, "", nil},
	} {
		var a netip.Addr
		if tt.a != "" {
			a = netip.MustParseAddr(tt.a)
		}
		var got []uint64
		for _, l := range matching(tt.sockets, a) {
			got = append(got, l.cookie)
		}
		if len(got) != len(tt.want) || len(got) > 0 && (got[0] != tt.want[0] || got[len(got)-1] != tt.want[len(got)-1]) {
			t.Errorf("sockets %v match %q, want %v", got, tt.a, tt.want)
		}
	}
}
