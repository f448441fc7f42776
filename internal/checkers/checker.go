package checkers

import (
	"net"
	"net/netip"
)

// FrontEnd is the protocol that a checker uses.
type FrontEnd string

// The front ends.
const (
	LMPUDP    FrontEnd = "lmp-udp"
	LMPTCP    FrontEnd = "lmp-tcp"
	LMPWatch  FrontEnd = "lmp-watch"
	GRPCCheck FrontEnd = "grpc-check"
	GRPCWatch FrontEnd = "grpc-watch"
	Line      FrontEnd = "line"
	Gate      FrontEnd = "gate"
	BFD       FrontEnd = "bfd"
	HTTP      FrontEnd = "http"
)

// Checker identifies a checker. The same address through another front end is
// another checker.
type Checker struct {
	// From is the address without the port, since checkers use a new port for
	// each check. An IPv4 address mapped to IPv6 is stored as IPv4. The zero
	// Addr means a Unix socket.
	From netip.Addr
	Via  FrontEnd
}

// Address returns the address as text; "unix" for a Unix socket.
func (a Checker) Address() string {
	if !a.From.IsValid() {
		return "unix"
	}
	return a.From.String()
}

// AddressOf returns the peer address of a connection, in the form of
// Checker.From.
func AddressOf(peer net.Addr) netip.Addr {
	if tcp, ok := peer.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// Check says what a check was about.
type Check struct {
	Name    []byte // as the checker sent it; used only if Known is false
	Service string // "" for all services together
	Known   bool   // whether a service has the name
}
