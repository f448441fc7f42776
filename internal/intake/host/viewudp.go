package host

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/landmark-health/landmark/internal/registry"
)

// checkBound checks that a UDP socket is bound to the address.
func (v *view) checkBound(l *registry.HostLandmark) (why string, err error) {
	all, err := v.udpOn(l.Port.Port())
	if err != nil || len(matching(unconnected(all), l.Port.Addr())) > 0 {
		return "", err
	}
	return v.notBound(all, l.Port), nil
}

func (v *view) notBound(all []listener, at netip.AddrPort) string {
	return v.notListening("nothing is bound to "+endpoint("UDP", at), unconnected(all), at)
}

// checkReceiveQueue checks that the datagrams to the address are read.
func (v *view) checkReceiveQueue(l *registry.HostLandmark) (registry.Fact, error) {
	bound, err := v.countReceiveQueue(l.Port)
	if err != nil {
		return registry.Fact{}, err
	}
	if len(bound) == 0 {
		all, _ := v.udpOn(l.Port.Port())
		return registry.Fact{Reached: true, Unreadable: true, Reason: v.notBound(all, l.Port)}, nil // without a queue nothing is stuck
	}
	fact := registry.Fact{Reached: true}
	if since, waiting, ok := v.receiveQueues[l.Port].stuck(); ok {
		fact.Open, fact.Pending, fact.Age = true, 1, v.readAt-since
		fact.Reason = fmt.Sprintf("%d bytes wait on %s, and no datagram has been read", waiting, endpoint("UDP", l.Port))
	}
	return fact, nil
}

// countReceiveQueue counts the queue of the address, and returns its sockets.
func (v *view) countReceiveQueue(at netip.AddrPort) ([]listener, error) {
	return cacheOf(v.received, at).get(func() ([]listener, error) {
		all, err := v.udpOn(at.Port())
		if err != nil {
			return nil, err
		}
		var sockets []listener
		if len(matching(unconnected(all), at.Addr())) > 0 {
			sockets = slices.DeleteFunc(slices.Clone(all), func(l listener) bool { return at.Addr().IsValid() && !l.takes(at.Addr()) })
		}
		v.receiveQueues[at].count(sockets, v.now())
		return sockets, nil
	})
}

// udpOn returns the UDP sockets that are bound to the port.
func (v *view) udpOn(port uint16) ([]listener, error) {
	return cacheOf(v.udp, port).get(func() ([]listener, error) {
		all, err := udpSockets(v.diag, port)
		if err != nil {
			return nil, remedy("the UDP sockets of this host", err)
		}
		return all, nil
	})
}

// unconnected returns the sockets that receive from every address.
func unconnected(all []listener) []listener {
	return slices.DeleteFunc(slices.Clone(all), func(l listener) bool { return l.connected })
}
