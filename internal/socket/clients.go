package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// ipv6ClientBits is the length of the prefix that counts as one IPv6 client: a
// host can use any address of its own network (RFC 7934).
const ipv6ClientBits = 64

// ByAddress returns the client of a TCP connection: its IPv4 address, or the /64
// network of its IPv6 address.
func ByAddress(conn net.Conn) (netip.Prefix, error) {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}, fmt.Errorf("%v is not a TCP address", conn.RemoteAddr())
	}
	return ClientAt(tcp.AddrPort().Addr())
}

// ClientAt returns the client that has the address: the address itself if it is an IPv4
// one, or its /64 network.
func ClientAt(address netip.Addr) (netip.Prefix, error) {
	address = address.Unmap().WithZone("")
	return address.Prefix(min(address.BitLen(), ipv6ClientBits))
}

// ClientOf returns the client of an HTTP request, by its RemoteAddr. All without an address
// are one.
func ClientOf(remoteAddr string) netip.Prefix {
	from, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	client, _ := ClientAt(from.Addr()) // fails for no address
	return client
}

// ByUser returns the client of a Unix connection: the user of its peer.
func ByUser(conn net.Conn) (uint32, error) {
	unix, ok := conn.(syscall.Conn)
	if !ok {
		return 0, errors.New("the connection is not a socket")
	}
	peer, err := PeerOf(unix)
	return peer.UID, err
}

// Privileged reports whether the user is root or the one that this process runs
// as.
func Privileged(uid uint32) bool { return uid == 0 || uid == uint32(os.Geteuid()) }
