package bfd

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// buffer is where datagrams are read to, one after the other.
type buffer struct {
	// A longer datagram is cut. It has at most this much of a packet.
	data    [256]byte
	control [64]byte
	from    unix.RawSockaddrAny
	header  unix.Msghdr
	vector  unix.Iovec
}

// datagram is a received datagram, valid until the next is read to its buffer.
type datagram struct {
	data, control []byte
	from          netip.Addr
}

// read reads a datagram that has arrived. It allocates nothing. The error is EAGAIN if
// there is none. Any other does not mean that there is none: see receiver.read.
func (s socket) read(b *buffer) (datagram, unix.Errno) {
	b.vector.Base = &b.data[0]
	b.vector.SetLen(len(b.data))
	b.header = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&b.from)), Namelen: unix.SizeofSockaddrAny, Iov: &b.vector, Control: &b.control[0]}
	b.header.SetIovlen(1)
	b.header.SetControllen(len(b.control))
	// It does not block, so the scheduler need not know of it.
	n, _, err := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(s), uintptr(unsafe.Pointer(&b.header)), unix.MSG_DONTWAIT)
	if err != 0 {
		return datagram{}, err
	}
	return datagram{b.data[:n], b.control[:b.header.Controllen], b.source()}, 0
}

// source returns the address that a datagram came from.
func (b *buffer) source() netip.Addr {
	switch b.from.Addr.Family {
	case unix.AF_INET:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&b.from)).Addr)
	case unix.AF_INET6:
		return netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(&b.from)).Addr)
	}
	return netip.Addr{}
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
