package bfdpeer

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/landmark-health/landmark/internal/bfd"
)

// NewLocal returns a loopback address for landmarkd. The addresses after it are free
// for peers.
func NewLocal() netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(1 + rand.IntN(254)), byte(rand.IntN(256)), 1})
}

// Sessions returns n sessions of the service, at most 250, with the default times.
// The peers are at the addresses after the local one.
func Sessions(service string, local netip.Addr, n int) []bfd.Peering {
	var all []bfd.Peering
	peer := local
	for range n {
		peer = peer.Next()
		all = append(all, bfd.Peering{
			Pair: bfd.Pair{Peer: peer, Local: local}, Service: service,
			Interval: bfd.DefaultInterval, Multiplier: bfd.DefaultMultiplier,
		})
	}
	return all
}

// YAML returns the configuration of the sessions for landmarkd. Those that have a key
// have it in the file.
func YAML(sessions []bfd.Peering, keyFile string) string {
	var b strings.Builder
	b.WriteString("bfd:\n")
	for _, p := range sessions {
		fmt.Fprintf(&b, "- {service: %s, peer: %v, local: %v, interval: %v, multiplier: %d", p.Service, p.Peer, p.Local, p.Interval, p.Multiplier)
		if !p.Key.IsZero() {
			fmt.Fprintf(&b, ", key_file: %q", keyFile)
		}
		b.WriteString("}\n")
	}
	return b.String()
}
