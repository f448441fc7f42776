package host

import (
	"encoding/binary"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel describes a socket by struct inet_diag_msg, in answer to struct
// inet_diag_req_v2 (linux/inet_diag.h). Numbers are offsets, and sizes in parentheses:
//
//	request                              message
//	 0  family                            0  family
//	 1  protocol                          1  state
//	 2  extensions                        2  timer
//	 3  -                                 3  retransmissions
//	 4  states, one bit each (4)          4  socket (48)
//	 8  socket (48)                      52  expires (4)
//	                                     56  receive queue (4)
//	socket, ports in network order       60  send queue (4)
//	 0  source port (2)                  64  uid (4)
//	 2  destination port (2)             68  inode (4)
//	 4  source address (16)              72  attributes
//	20  destination address (16)
//	36  interface (4)
//	40  cookie (8)
//
// The receive queue of a listening TCP socket is the number of connections that wait to
// be accepted. A connection that waits belongs to no file yet, so it has no inode. One
// that its program has closed has none either, but is in another state. The program
// cannot have sent anything on a connection that waits, so its last-sent time is its
// creation (net/ipv4/tcp_minisocks.c, lsndtime).
const (
	byFamily      = 20 // SOCK_DIAG_BY_FAMILY
	sizeOfRequest = 56
	sizeOfMessage = 72
	v6only        = 11 // INET_DIAG_SKV6ONLY
	info          = 2  // INET_DIAG_INFO: struct tcp_info (linux/tcp.h)
	lastSent      = 44 // offset in it of tcpi_last_data_sent, in ms ago

	established = 1 << 1  // TCP_ESTABLISHED
	closeWait   = 1 << 8  // TCP_CLOSE_WAIT: the client has closed it
	listen      = 1 << 10 // TCP_LISTEN
)

// listener is a listening TCP socket, or a UDP socket.
type listener struct {
	family uint8
	cookie uint64 // unique since boot
	at     netip.Addr
	v6only bool
	device int // index of the interface or VRF that it is bound to, 0 = none
	queue  int // TCP: connections that wait to be accepted
	memory     // UDP
	// connected means that it receives from one address only.
	connected bool
}

// takes reports whether the listener receives connections to the address, unless
// another is bound to exactly that address.
func (l *listener) takes(a netip.Addr) bool {
	switch {
	case l.at == a:
		return true
	case !l.at.IsUnspecified():
		return false
	case l.at.Is4():
		return a.Is4()
	default:
		return a.Is6() || !l.v6only
	}
}

// connection is a connection that waits to be accepted.
type connection struct {
	cookie uint64
	to     netip.Addr
	device int           // of the socket that received it
	age    time.Duration // oldest it was made
}

// listeners returns the sockets that listen on the port.
func listeners(n *netlink, port uint16) ([]listener, error) {
	return sockets(n, unix.IPPROTO_TCP, listen, port, 0)
}

// sockets returns the sockets of the protocol that have one of the states and the local
// port, with the optional attribute (0 = none).
func sockets(n *netlink, protocol uint8, states uint32, port uint16, attribute int) (all []listener, err error) {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		start := len(all)
		err := n.dump(byFamily, socketsOf(protocol, family, states, port, attribute), func() { all = all[:start] }, func(m []byte) {
			if len(m) < sizeOfMessage || binary.BigEndian.Uint16(m[4:]) != port {
				return
			}
			l := listener{family: family, at: source(family, m), cookie: native.Uint64(m[44:]), queue: int(native.Uint32(m[56:]))}
			// The kernel binds each socket with a link-local address to its interface
			// (net/ipv6/af_inet6.c, __inet6_bind). That does not restrict it further.
			if l.at.Is4() || !l.at.IsLinkLocalUnicast() {
				l.device = int(native.Uint32(m[40:]))
			}
			for kind, value := range attributes(m[sizeOfMessage:]) {
				switch {
				case kind == v6only && len(value) > 0:
					l.v6only = value[0] != 0
				case kind == memoryInfo && protocol == unix.IPPROTO_UDP:
					l.readMemory(m, value)
				}
			}
			all = append(all, l)
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// connections returns the connections to the port that wait to be accepted by sockets
// of the family. It cannot return those that their clients have reset.
func connections(n *netlink, family uint8, port uint16) (all []connection, err error) {
	err = n.dump(byFamily, socketsOf(unix.IPPROTO_TCP, family, established|closeWait, port, info), func() { all = nil }, func(m []byte) {
		if len(m) < sizeOfMessage || binary.BigEndian.Uint16(m[4:]) != port || native.Uint32(m[68:]) != 0 {
			return
		}
		c := connection{cookie: native.Uint64(m[44:]), to: source(family, m), device: int(native.Uint32(m[40:]))}
		for kind, value := range attributes(m[sizeOfMessage:]) {
			if kind == info && len(value) >= lastSent+4 {
				c.age = time.Duration(native.Uint32(value[lastSent:])) * time.Millisecond
			}
		}
		all = append(all, c)
	})
	return all, err
}

// socketsOf returns the request for the sockets of the protocol and family that are in
// one of the states and have the local port. The answer includes the optional attribute
// (0 = none).
func socketsOf(protocol, family uint8, states uint32, port uint16, attribute int) []byte {
	q := make([]byte, sizeOfRequest)
	q[0], q[1] = family, protocol
	if attribute > 0 {
		q[2] = 1 << (attribute - 1)
	}
	native.PutUint32(q[4:], states)
	binary.BigEndian.PutUint16(q[8:], port)
	return q
}

// source returns the local address of a message's socket. It returns an IPv4 address
// of an IPv6 socket as IPv4.
func source(family uint8, m []byte) netip.Addr {
	if family == unix.AF_INET {
		return netip.AddrFrom4([4]byte(m[8:12]))
	}
	return netip.AddrFrom16([16]byte(m[8:24])).Unmap()
}
