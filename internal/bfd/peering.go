package bfd

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"
)

// Peering is one session as it is configured. There is one for each Pair.
type Peering struct {
	Pair
	Service    string // the name that is looked up, such as epg or epg-liveness
	Interval   time.Duration
	Multiplier uint8
	Passive    bool
	Key        Key // zero = no authentication
}

// Pair is the addresses of a session: the peer's, and the local one.
type Pair struct {
	Peer  netip.Addr `json:"peer"`
	Local netip.Addr `json:"local"`
}

// The defaults of a Peering.
const (
	DefaultInterval   = time.Second
	DefaultMultiplier = 3
)

// Discriminator returns the session's own discriminator. It is the same after a
// restart, so that the peer's session can go on. Only the session of the Pair looks
// at it, so two sessions may have the same.
func (p *Peering) Discriminator() uint32 {
	h := sha256.New()
	for _, part := range []string{p.Service, p.Peer.String(), p.Local.String()} {
		h.Write([]byte(part + "\n"))
	}
	return max(1, binary.BigEndian.Uint32(h.Sum(nil)))
}
