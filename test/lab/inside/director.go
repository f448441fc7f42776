package main

import "net/netip"

// epgPort is where every EPG server listens, and where it is asked for at every virtual address.
const epgPort = 5400

// virtualService is one service that the director balances over the real servers. How it is checked is said to the
// director's program.
type virtualService struct {
	name    string // the scenario's word for it
	address string // the virtual address
}

func (v virtualService) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(v.address), epgPort)
}
