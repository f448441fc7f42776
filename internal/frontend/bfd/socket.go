package bfd

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/bfd"
)

const (
	// maxHopLimit is the hop limit (IPv4: TTL) of each packet. No packet from beyond
	// the link has it, because each router lowers it (RFC 5881, section 5).
	maxHopLimit = 255
	// firstPort and ports are the source ports that a session may have (RFC 5881,
	// section 4).
	firstPort = 49152
	ports     = 1 << 14
	// tries is how many of them are tried.
	tries = 256
)

// socket is a UDP socket that never blocks. It is not in Go's poller, which would
// wake a thread for each packet that arrives or has been sent. It must be closed.
type socket int

// listen returns the socket that receives the packets to the address that no other
// socket gets.
func listen(local netip.Addr) (socket, error) {
	s, err := newSocket(local)
	if err != nil {
		return 0, bindError(local, err)
	}
	err = s.receiveHopLimits(local)
	if err == nil {
		err = s.bind(netip.AddrPortFrom(local, bfd.Port))
	}
	if err == nil {
		// After the binding, so that it fails if there is another BFD daemon.
		err = s.share()
	}
	if err != nil {
		s.close()
		return 0, bindError(local, err)
	}
	return s, nil
}

// listenTo returns a socket that receives the packets of one peer, in a queue of
// their own: the kernel gives a packet to the socket that is connected to its
// source. It fails while there is no route to the peer.
func listenTo(p bfd.Pair) (socket, error) {
	s, err := newSocket(p.Local)
	if err != nil {
		return 0, err
	}
	err = errors.Join(s.receiveHopLimits(p.Local), s.share())
	if err == nil {
		s.dropFromAfar(p.Local)
		err = s.bind(netip.AddrPortFrom(p.Local, bfd.Port))
	}
	if err == nil {
		err = os.NewSyscallError("connect", unix.Connect(int(s), sockaddr(netip.AddrPortFrom(p.Peer, 0)))) // from any port
	}
	if err != nil {
		s.close()
		return 0, err
	}
	return s, nil
}

// dial returns the socket that sends a session's packets. Its port is mostly the same
// after a restart.
func dial(p bfd.Peering) (socket, error) {
	s, err := newSocket(p.Local)
	if err != nil {
		return 0, bindError(p.Local, err)
	}
	level, option := unix.IPPROTO_IP, unix.IP_TTL
	if p.Local.Is6() {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
	}
	err = s.set(level, option, maxHopLimit)
	for i := uint32(0); err == nil && i < tries; i++ {
		port := uint16(firstPort + (p.Discriminator()+i)%ports)
		err = s.bind(netip.AddrPortFrom(p.Local, port))
		if err == nil {
			_ = s.set(unix.SOL_SOCKET, unix.SO_RCVBUF, 0) // nothing is read from it, so keep as little as possible
			return s, nil
		}
		if errors.Is(err, unix.EADDRINUSE) {
			err = nil
		}
	}
	s.close()
	if err != nil {
		return 0, bindError(p.Local, err)
	}
	return 0, fmt.Errorf("bfd: %d ports of %v from %d are taken, and a session needs one: stop a program that takes them", tries, p.Local, firstPort)
}

func newSocket(local netip.Addr) (socket, error) {
	family := unix.AF_INET
	if local.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	return socket(fd), os.NewSyscallError("socket", err)
}

func (s socket) close() { unix.Close(int(s)) }

func (s socket) bind(to netip.AddrPort) error {
	return os.NewSyscallError("bind", unix.Bind(int(s), sockaddr(to)))
}

func (s socket) set(level, option, value int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(s), level, option, value))
}

// share lets other sockets of this process's user have the same address and port
// (SO_REUSEPORT). Those of other users cannot.
func (s socket) share() error { return s.set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }

// receiveHopLimits makes the kernel deliver the hop limit of each packet.
func (s socket) receiveHopLimits(local netip.Addr) error {
	if local.Is6() {
		return s.set(unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1)
	}
	return s.set(unix.IPPROTO_IP, unix.IP_RECVTTL, 1)
}

// farSample is the share of the packets from afar that the kernel does not drop, so
// that they are counted: one of so many, a power of two.
const farSample = 1024

// dropFromAfar makes the kernel drop most packets with another hop limit than 255
// before they take a place in the queue. Any host beyond the link could otherwise fill
// it with the peer's address. It is no error if the kernel cannot: receive drops them
// too.
func (s socket) dropFromAfar(local netip.Addr) {
	const (
		network = 0xfff00000      // SKF_NET_OFF: offsets from the IP header
		random  = 0xfffff000 + 56 // SKF_AD_OFF + SKF_AD_RANDOM
		hops4   = 8
		hops6   = 7
	)
	offset := uint32(hops4)
	if local.Is6() {
		offset = hops6
	}
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: network + offset},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: maxHopLimit, Jt: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: random},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: farSample - 1},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	_ = unix.SetsockoptSockFprog(int(s), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

// sockaddr returns the address for system calls.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
}

// bindError returns the error of a socket at the local address that cannot be bound.
func bindError(local netip.Addr, err error) error {
	cause := err
	if call := new(os.SyscallError); errors.As(err, &call) {
		cause = call.Err
	}
	remedy := "see whether this user may open UDP sockets there"
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		remedy = "stop the other BFD daemon on this host"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		remedy = "write an address of this host as local"
	case errors.Is(err, unix.EMFILE):
		remedy = "raise LimitNOFILE= in landmarkd's unit, or ulimit -n, or remove sessions"
	}
	return fmt.Errorf("bfd: cannot listen on UDP port %d of %v: %w; %s", bfd.Port, local, cause, remedy)
}
