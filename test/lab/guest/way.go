package main

import (
	"fmt"
	"net/netip"
)

// epgPort is where every EPG server listens, and where it is asked for at every virtual address.
const epgPort = 5400

// way is one way in which a director checks the real servers of a virtual service. How it does is said to the director's
// program; here stands what may be expected of it.
type way struct {
	name    string // one of the journal's
	start   starter
	direct  bool // forwards directly, and the real servers bear the virtual address; else it translates addresses
	blind   bool // opens a connection, and asks no sidecar
	weight  int  // the configured weight, where weights are carried
	prompt  bool // is told at once, and asks nothing
	outside bool // balances without IPVS
	crowded bool // has a whole crowd of connections when rs1 is drained, to show that none breaks; else a few
}

// fewConnections is how many connections are open where a drain is only shown beside others.
const fewConnections = 100

// crowd is how many connections are open when rs1 is drained, and how many are opened after it.
func (w way) crowd() int {
	if w.crowded {
		return fromEnvironment("LAB_CROWD", 1000)
	}
	return min(fewConnections, fromEnvironment("LAB_CROWD", fewConnections))
}

// starter starts what balances the service in one way.
type starter func(*laboratory, virtualService) error

// virtualService is a virtual address at which a director balances the real servers, checking them in one way.
type virtualService struct {
	way
	address string
	client  string // the address of its clients: those of two services could not be told apart where addresses are translated
}

func (v virtualService) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(v.address), epgPort)
}

// number gives each way a virtual address of its own, and one for its clients.
func number(ways []way) []virtualService {
	services := make([]virtualService, len(ways))
	for i, w := range ways {
		services[i] = virtualService{way: w, address: fmt.Sprintf("192.0.2.%d", 80+i), client: fmt.Sprintf("192.0.2.%d", 10+i)}
	}
	return services
}

// asking are ways that hear of a hang.
func asking(w way) bool { return !w.blind }

// prompt are ways that hear of everything at once.
func prompt(w way) bool { return w.prompt }

// all are all ways. They hear of a death.
func all(way) bool { return true }
