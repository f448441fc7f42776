package main

import (
	"fmt"
	"net/netip"
)

// epgPort is the port of every EPG server and of every virtual service.
const epgPort = 5400

// way is one way in which a director checks the real servers of a virtual service, and what to expect of it.
type way struct {
	name    string // one of the journal's
	start   starter
	direct  bool // forwards by direct routing, and the real servers have the virtual address; otherwise by NAT
	control bool // only opens a connection, and does not check a sidecar
	weight  int  // the configured weight, 0 if the way carries none
	pushed  bool // the sidecar sends changes at once
	proxied bool // balances without IPVS
	crowded bool // drains rs1 under LAB_CROWD connections; otherwise under at most fewConnections
}

const fewConnections = 100

// crowd returns how many connections are open when rs1 is drained, and how many are opened after that.
func (w way) crowd() int {
	if w.crowded {
		return envInt("LAB_CROWD", 1000)
	}
	return min(fewConnections, envInt("LAB_CROWD", fewConnections))
}

// starter starts the director's programs for a service.
type starter func(*lab, virtualService) error

// virtualService is a virtual address at which a director balances the real servers. It checks them in one way.
type virtualService struct {
	way
	address string
	client  string // the address of its clients; NAT needs another one for each service
}

func (v virtualService) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(v.address), epgPort)
}

// newServices gives each way a virtual address and an address of its clients.
func newServices(ways []way) []virtualService {
	services := make([]virtualService, len(ways))
	for i, w := range ways {
		services[i] = virtualService{way: w, address: fmt.Sprintf("192.0.2.%d", 80+i), client: fmt.Sprintf("192.0.2.%d", 10+i)}
	}
	return services
}

// detectsHang selects the ways that detect a hang.
func detectsHang(w way) bool { return !w.control }

// pushed selects the ways that get every change at once.
func pushed(w way) bool { return w.pushed }

// all selects all ways. Each detects a death.
func all(way) bool { return true }
