package checkers

import (
	"net/netip"
	"time"
)

// GateState is the state of a service's gate. The zero GateState is that of a service
// without one.
type GateState struct {
	Name    string         // that the gate follows, such as epg or epg-liveness
	Address netip.AddrPort // unspecified = all addresses of the host
	Open    bool
	Problem string // why it cannot be opened or kept closed, and what to do; "" = it can
}

// SetGate records the state of the service's gate. While it is closed, the kernel
// refuses the connections of its checkers, so none of them is called silent.
func (t *Tracker) SetGate(service string, g GateState) { t.listOf(service).setGate(g, t.now()) }

func (l *list) setGate(g GateState, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g.Open == l.gateShut || g.Address != l.gate.Address {
		l.gateShut, l.gateSince = !g.Open, now
	}
	l.gate = g
}

// GateStats describes a gate.
type GateStats struct {
	GateState
	SinceChange time.Duration // since Open changed, or the gate was configured
}

// Gate returns the gate of the service, and whether it has one.
func (t *Tracker) Gate(service string) (GateStats, bool) {
	l := (*t.services.Load())[service]
	if l == nil {
		return GateStats{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return GateStats{l.gate, max(0, t.now()-l.gateSince)}, l.gate != GateState{}
}
