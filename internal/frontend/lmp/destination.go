package lmp

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// destination is the address that a datagram was sent to, from the kernel's
// IP_PKTINFO (ip(7)) or IPV6_PKTINFO (ipv6(7)) control message.
type destination struct {
	address      netip.Addr // one of the host's; invalid if the kernel gave none
	device       uint32     // the device that received it
	groupAddress bool       // it was sent to a broadcast or multicast address
}

const (
	pktinfo4 = unix.SizeofInet4Pktinfo // ifindex 4, spec_dst 4, addr 4
	pktinfo6 = unix.SizeofInet6Pktinfo // addr 16, ifindex 4
)

// parseDestination parses the control messages of a datagram. An IPv4 datagram
// on a dual-stack socket has both kinds; IP_PKTINFO says more, and wins.
func parseDestination(control []byte) destination {
	var d destination
	for len(control) >= unix.SizeofCmsghdr {
		header, body, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		switch {
		case header.Level == unix.IPPROTO_IP && header.Type == unix.IP_PKTINFO && len(body) >= pktinfo4:
			return parse4(body)
		case header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_PKTINFO && len(body) >= pktinfo6:
			d = parse6(body)
		}
		control = rest
	}
	return d
}

func parse4(body []byte) destination {
	local := netip.AddrFrom4([4]byte(body[4:8]))
	sentTo := netip.AddrFrom4([4]byte(body[8:12]))
	return destination{
		address: local,
		device:  binary.NativeEndian.Uint32(body),
		// The two are equal only for an address of the host.
		groupAddress: sentTo != local,
	}
}

func parse6(body []byte) destination {
	sentTo := netip.AddrFrom16([16]byte(body[:16]))
	return destination{
		address:      sentTo,
		device:       binary.NativeEndian.Uint32(body[16:]),
		groupAddress: sentTo.IsMulticast(),
	}
}

// append appends the control message that makes an answer leave from d's address.
func (d destination) append(control []byte) []byte {
	switch {
	case !d.address.IsValid():
		return control
	case d.address.Is4():
		var info [pktinfo4]byte // with device 0: the routing table chooses
		local := d.address.As4()
		copy(info[4:], local[:])
		return appendMessage(control, unix.IPPROTO_IP, unix.IP_PKTINFO, info[:])
	default:
		var info [pktinfo6]byte
		local := d.address.As16()
		copy(info[:], local[:])
		if d.address.IsLinkLocalUnicast() { // valid only with its device
			binary.NativeEndian.PutUint32(info[16:], d.device)
		}
		return appendMessage(control, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, info[:])
	}
}

// appendMessage appends a control message (cmsg(3)): a struct cmsghdr, whose
// size depends on the architecture, and the body, each padded to a word.
func appendMessage(control []byte, level, kind int32, body []byte) []byte {
	header := unix.Cmsghdr{Level: level, Type: kind}
	header.SetLen(unix.CmsgLen(len(body)))
	var zero [64]byte // longer than either message
	start := len(control)
	control = append(control, zero[:unix.CmsgSpace(len(body))]...)
	copy(control[start:], unsafe.Slice((*byte)(unsafe.Pointer(&header)), unix.SizeofCmsghdr))
	copy(control[start+unix.CmsgLen(0):], body)
	return control
}
