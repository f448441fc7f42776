package bfd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

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

// listen returns the socket that receives all packets to the address.
func listen(local netip.Addr) (*net.UDPConn, error) {
	level, option := unix.IPPROTO_IP, unix.IP_RECVTTL
	if local.Is6() {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT
	}
	conn, err := bind(netip.AddrPortFrom(local, bfd.Port), level, option, 1)
	if err != nil {
		return nil, bindError(local, err)
	}
	return conn, nil
}

// dial returns the socket that sends a session's packets. Its port is mostly the same
// after a restart.
func dial(p bfd.Peering) (*net.UDPConn, error) {
	level, option := unix.IPPROTO_IP, unix.IP_TTL
	if p.Local.Is6() {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
	}
	for i := range uint32(tries) {
		port := uint16(firstPort + (p.Discriminator()+i)%ports)
		conn, err := bind(netip.AddrPortFrom(p.Local, port), level, option, maxHopLimit)
		switch {
		case errors.Is(err, unix.EADDRINUSE):
			continue
		case err != nil:
			return nil, bindError(p.Local, err)
		}
		_ = conn.SetReadBuffer(0) // nothing is read from it, so keep as little as possible
		return conn, nil
	}
	return nil, fmt.Errorf("bfd: %d ports of %v from %d are taken, and a session needs one: stop a program that takes them", tries, p.Local, firstPort)
}

// bind returns a UDP socket with an option.
func bind(local netip.AddrPort, level, option, value int) (*net.UDPConn, error) {
	network := "udp4"
	if local.Addr().Is6() {
		network = "udp6"
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), level, option, value))
		})
		return errors.Join(err, failed)
	}}
	conn, err := config.ListenPacket(context.Background(), network, local.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
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
	}
	return fmt.Errorf("bfd: cannot listen on UDP port %d of %v: %w; %s", bfd.Port, local, cause, remedy)
}

// hopLimit returns the hop limit of a datagram from its control messages, 0 if they do
// not have it.
func hopLimit(control []byte) uint32 {
	for len(control) >= unix.SizeofCmsghdr {
		header, body, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		isLimit := header.Level == unix.IPPROTO_IP && header.Type == unix.IP_TTL ||
			header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_HOPLIMIT
		if isLimit && len(body) >= 4 {
			return binary.NativeEndian.Uint32(body)
		}
		control = rest
	}
	return 0
}
