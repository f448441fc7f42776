package monitor

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// destination is the address that a datagram was sent to, from the kernel's
// IP_PKTINFO (ip(7)) or IPV6_PKTINFO (ipv6(7)) control message.
type destination struct {
	address   netip.Addr // of the host's; invalid if the kernel did not say
	device    uint32     // the device it came in by
	notUnique bool       // it was sent to a broadcast or multicast address
}

const (
	controlHeader = unix.SizeofCmsghdr
	pktinfo4      = unix.SizeofInet4Pktinfo // ifindex 4, spec_dst 4, addr 4
	pktinfo6      = unix.SizeofInet6Pktinfo // addr 16, ifindex 4
)

// parseDestination reads the control messages of a datagram. An IPv4 datagram
// on a socket of both families has one of each kind; IP_PKTINFO says more.
func parseDestination(control []byte) destination {
	var d destination
	for len(control) >= controlHeader {
		length := int(binary.NativeEndian.Uint64(control))
		if length < controlHeader || length > len(control) {
			break
		}
		level := binary.NativeEndian.Uint32(control[8:])
		kind := binary.NativeEndian.Uint32(control[12:])
		body := control[controlHeader:length]
		switch {
		case level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO && len(body) >= pktinfo4:
			return parse4(body)
		case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(body) >= pktinfo6:
			d = parse6(body)
		}
		control = control[min(align(length), len(control)):]
	}
	return d
}

func parse4(body []byte) destination {
	local := netip.AddrFrom4([4]byte(body[4:8]))
	sentTo := netip.AddrFrom4([4]byte(body[8:12]))
	return destination{
		address: local,
		device:  binary.NativeEndian.Uint32(body),
		// Only for an address that is the host's own are the two the same.
		notUnique: sentTo != local,
	}
}

func parse6(body []byte) destination {
	sentTo := netip.AddrFrom16([16]byte(body[:16]))
	return destination{
		address:   sentTo,
		device:    binary.NativeEndian.Uint32(body[16:]),
		notUnique: sentTo.IsMulticast(),
	}
}

// append appends the control message that makes an answer leave from d.
func (d destination) append(control []byte) []byte {
	switch {
	case !d.address.IsValid():
		return control
	case d.address.Is4():
		control = appendHeader(control, unix.IPPROTO_IP, unix.IP_PKTINFO, pktinfo4)
		control = binary.NativeEndian.AppendUint32(control, 0) // by whichever device routes there
		local := d.address.As4()
		control = append(control, local[:]...)
		return pad(append(control, 0, 0, 0, 0))
	default:
		control = appendHeader(control, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, pktinfo6)
		local := d.address.As16()
		control = append(control, local[:]...)
		var device uint32
		if d.address.IsLinkLocalUnicast() {
			device = d.device // such an address means nothing without its device
		}
		return pad(binary.NativeEndian.AppendUint32(control, device))
	}
}

// appendHeader appends a struct cmsghdr, whose length is of the machine's word
// (cmsg(3)).
func appendHeader(control []byte, level, kind uint32, body int) []byte {
	control = binary.NativeEndian.AppendUint64(control, uint64(controlHeader+body))
	control = binary.NativeEndian.AppendUint32(control, level)
	return binary.NativeEndian.AppendUint32(control, kind)
}

func align(n int) int { return (n + 7) &^ 7 }

func pad(control []byte) []byte {
	for len(control)%8 != 0 {
		control = append(control, 0)
	}
	return control
}
