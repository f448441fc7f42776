package checkers

import (
	"net"
	"net/netip"
)

// FrontEnd is the way by which somebody asks.
type FrontEnd string

// The ways there are.
const (
	LMPUDP    FrontEnd = "lmp-udp"
	LMPTCP    FrontEnd = "lmp-tcp"
	LMPWatch  FrontEnd = "lmp-watch"
	GRPCCheck FrontEnd = "grpc-check"
	GRPCWatch FrontEnd = "grpc-watch"
	Line      FrontEnd = "line"
)

// Checker is who asks: the same address by another way is another checker.
type Checker struct {
	// From is the address, without the port, which checkers change with each
	// question. An IPv4 address is one even where it came in IPv6's clothes.
	// The zero Addr is whoever asks over a Unix socket.
	From netip.Addr
	Via  FrontEnd
}

// Address writes where the checker asks from.
func (a Checker) Address() string {
	if !a.From.IsValid() {
		return "unix"
	}
	return a.From.String()
}

// AddressOf returns the address of the other end of a connection, as From is.
func AddressOf(end net.Addr) netip.Addr {
	if tcp, ok := end.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// Check is what somebody has asked about.
type Check struct {
	Name    []byte // as it was asked for; of use only where nobody knows it
	Service string // that it is about, "" for all together
	Known   bool
}
