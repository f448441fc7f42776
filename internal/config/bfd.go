package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/internal/contract"
)

// MaxPeerings is how many BFD sessions a file may have. Each takes up to three
// descriptors.
const MaxPeerings = 64

// peeringKeys are the keys of a BFD session.
var peeringKeys = []key[bfd.Peering]{
	scalarKey("service", serviceNames(),
		func(p *bfd.Peering, name string) { p.Service = name }),
	scalarKey("peer", addresses(),
		func(p *bfd.Peering, a netip.Addr) { p.Peer = a }),
	scalarKey("local", addresses(),
		func(p *bfd.Peering, a netip.Addr) { p.Local = a }),
	scalarKey("interval", durations(50*time.Millisecond, time.Minute),
		func(p *bfd.Peering, d time.Duration) { p.Interval = d.Truncate(time.Microsecond) }),
	scalarKey("multiplier", multipliers(),
		func(p *bfd.Peering, n uint8) { p.Multiplier = n }),
	scalarKey("passive", booleans(),
		func(p *bfd.Peering, b bool) { p.Passive = b }),
	scalarKey("key_file", keyFiles(),
		func(p *bfd.Peering, k bfd.Key) { p.Key = k }),
}

// readPeerings reads the value of bfd.
func readPeerings(r *reader, at path, n ast.Node, f *File) {
	for i, item := range r.list(at, n) {
		at, found := at.to(strconv.Itoa(i+1)), len(r.problems)
		p := bfd.Peering{Interval: bfd.DefaultInterval, Multiplier: bfd.DefaultMultiplier}
		fill(r, at, item, peeringKeys, &p)
		if len(r.problems) > found {
			continue // a misspelt key would also be reported as missing
		}
		if err := checkPeering(p, f.Peerings); err != nil {
			r.fail(item, at, "%v", err)
			continue
		}
		f.Peerings = append(f.Peerings, p)
	}
	if len(f.Peerings) > MaxPeerings {
		r.fail(n, at, "has %d sessions: use %d at most", len(f.Peerings), MaxPeerings)
	}
}

// checkPeering returns an error if a key is missing, or if the keys contradict one
// another or a session before.
func checkPeering(p bfd.Peering, before []bfd.Peering) error {
	for _, a := range []struct {
		key     string
		address netip.Addr
	}{{"peer", p.Peer}, {"local", p.Local}} {
		switch {
		case !a.address.IsValid():
			return fmt.Errorf("has no %s: write %[1]s and an address", a.key)
		case a.address.Is6() && a.address.IsLinkLocalUnicast():
			return fmt.Errorf("has %v as %s, which is an address of the link only: write a global one", a.address, a.key)
		}
	}
	switch {
	case p.Service == "":
		return errors.New("has no service: write service and its name")
	case p.Peer.Is4() != p.Local.Is4():
		return fmt.Errorf("has an IPv4 and an IPv6 address, %v and %v: write two of one kind", p.Peer, p.Local)
	case p.Peer == p.Local:
		return fmt.Errorf("has %v as peer and as local: write the balancer's address as peer", p.Peer)
	case slices.ContainsFunc(before, func(other bfd.Peering) bool { return other.Pair == p.Pair }):
		return fmt.Errorf("has the peer %v and the local address %v of a session before: remove one of the two, for there is one session for each pair", p.Peer, p.Local)
	}
	return nil
}

// serviceNames takes the names that a checker can check.
func serviceNames() scalar[string] {
	const takes = "the name of a service, such as epg, or epg-liveness for its liveness"
	return scalar[string]{takes, func(text string) (string, error) {
		service := text
		for _, aspect := range contract.Aspects {
			if text == aspect {
				return text, nil // of all services together
			}
			if base, ok := strings.CutSuffix(text, "-"+aspect); ok {
				service = base
			}
		}
		return text, contract.CheckServiceName(service)
	}}
}

// multipliers takes detection time multipliers.
func multipliers() scalar[uint8] {
	const takes = "a number from 1 to 255"
	return scalar[uint8]{takes, func(text string) (uint8, error) {
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil || n == 0 {
			return 0, fmt.Errorf("%.40q is not a multiplier: write %s", text, takes)
		}
		return uint8(n), nil
	}}
}

// keyFiles takes the paths of key files, and reads them.
func keyFiles() scalar[bfd.Key] {
	return scalar[bfd.Key]{"the path of a file with a line NUMBER:HEX", bfd.ReadKey}
}
