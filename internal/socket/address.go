package socket

import (
	"fmt"
	"net"
	"net/netip"
)

// ipv6ClientBits is the length of the prefix that counts as one IPv6 client: a host
// can take any number of addresses of its own network (RFC 7934).
const ipv6ClientBits = 64

// ByAddress returns the client at the other end of a TCP connection: its IPv4
// address, or the /64 network of its IPv6 address.
func ByAddress(conn net.Conn) (netip.Prefix, error) {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}, fmt.Errorf("%v is not a TCP address", conn.RemoteAddr())
	}
	address := tcp.AddrPort().Addr().Unmap().WithZone("")
	return address.Prefix(min(address.BitLen(), ipv6ClientBits))
}
