package host

import (
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// address is an address of an interface.
type address struct {
	netip.Addr
	link  int // index of the interface
	scope uint8
	flags uint32 // IFA_F_…
}

// link is an interface.
type link struct {
	index int
	name  string
	flags uint32 // IFF_…
	port  bool   // of a bridge, a bond or a team, which answers ARP for it
	arp   arp    // its own settings
}

// arp holds the settings arp_ignore and arp_announce of an interface or of all
// interfaces (Documentation/networking/ip-sysctl.rst).
type arp struct{ ignore, announce int }

// combine returns the settings in effect for an interface, of its own and those for
// all: the larger value of each.
func (a arp) combine(b arp) arp {
	return arp{max(a.ignore, b.ignore), max(a.announce, b.announce)}
}

// resolves reports whether the interface answers ARP or IPv6 neighbour discovery.
func (l *link) resolves() bool { return l.flags&(unix.IFF_LOOPBACK|unix.IFF_NOARP) == 0 }

// addresses returns the addresses of the host.
func addresses(n *netlink) (all []address, err error) {
	err = n.dump(unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg), func() { all = nil }, func(m []byte) {
		if len(m) < unix.SizeofIfAddrmsg {
			return
		}
		// struct ifaddrmsg: family, prefix's length, flags, scope, index
		a := address{flags: uint32(m[2]), scope: m[3], link: int(native.Uint32(m[4:]))}
		for kind, value := range attributes(m[unix.SizeofIfAddrmsg:]) {
			switch kind {
			case unix.IFA_LOCAL: // precedes IFA_ADDRESS, which is then the address of the peer
				a.Addr, _ = netip.AddrFromSlice(value)
			case unix.IFA_ADDRESS:
				if !a.Addr.IsValid() {
					a.Addr, _ = netip.AddrFromSlice(value)
				}
			case unix.IFA_FLAGS:
				if len(value) >= 4 {
					a.flags = native.Uint32(value)
				}
			}
		}
		all = append(all, a)
	})
	return all, err
}

// links returns the interfaces of the host.
func links(n *netlink) (all []link, err error) {
	const skipStatistics = 1 << 3 // RTEXT_FILTER_SKIP_STATS
	request := make([]byte, unix.SizeofIfInfomsg, unix.SizeofIfInfomsg+8)
	request = native.AppendUint16(request, 8)
	request = native.AppendUint16(request, unix.IFLA_EXT_MASK)
	request = native.AppendUint32(request, skipStatistics)
	err = n.dump(unix.RTM_GETLINK, request, func() { all = nil }, func(m []byte) {
		if len(m) < unix.SizeofIfInfomsg {
			return
		}
		// struct ifinfomsg: family, type, index, flags, change
		l := link{index: int(native.Uint32(m[4:])), flags: native.Uint32(m[8:])}
		for kind, value := range attributes(m[unix.SizeofIfInfomsg:]) {
			switch kind {
			case unix.IFLA_IFNAME:
				l.name = text(value)
			case unix.IFLA_LINKINFO:
				for kind, value := range attributes(value) {
					if kind == unix.IFLA_INFO_SLAVE_KIND {
						l.port = text(value) == "bridge" || text(value) == "bond" || text(value) == "team"
					}
				}
			case unix.IFLA_AF_SPEC:
				l.readARP(value)
			}
		}
		all = append(all, l)
	})
	return all, err
}

// readARP reads the settings of the interface from IFLA_AF_SPEC, which has those of
// IPv4 as an array (linux/if_link.h, linux/ip.h).
func (l *link) readARP(families []byte) {
	const (
		inetConf = 1 // IFLA_INET_CONF
		announce = 18
		ignore   = 19 // IPV4_DEVCONF_ARP_…, which counts from 1
	)
	for family, value := range attributes(families) {
		if family != unix.AF_INET {
			continue
		}
		for kind, settings := range attributes(value) {
			if kind == inetConf && len(settings) >= 4*ignore {
				l.arp.announce = int(native.Uint32(settings[4*(announce-1):]))
				l.arp.ignore = int(native.Uint32(settings[4*(ignore-1):]))
			}
		}
	}
}

// readARPAll returns the settings for all interfaces.
func readARPAll() (a arp, err error) {
	const dir = "/proc/sys/net/ipv4/conf/all/"
	if a.ignore, err = readNumber(dir + "arp_ignore"); err == nil {
		a.announce, err = readNumber(dir + "arp_announce")
	}
	return a, err
}

func readNumber(path string) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// text returns the text before the zero byte.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
