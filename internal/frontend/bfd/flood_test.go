package bfd

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
)

// stepped is a server that reads and sends only when round is called.
type stepped struct {
	*Server
	buffer buffer
}

func newStepped(t *testing.T, peerings ...bfd.Peering) *stepped {
	t.Helper()
	r := newRegistry(t, 0)
	frontendtest.NewProcess(t, r, "epg").Work()
	s := New(Config{Source: r, Checkers: frontendtest.NewTracker(), Logger: slog.New(slog.DiscardHandler)})
	if err := s.Configure(peerings); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &stepped{Server: s}
}

// alive reports whether the session has received a valid packet.
func (s *stepped) alive(p bfd.Pair) bool { return s.open.sessions[p].machine.PeerAlive() }

// A flood fills no queue but its own. The packet of another peer of the same local
// address is read in the next round, and a round reads only so many of the flood.
func TestFloodStarvesNoOtherSession(t *testing.T) {
	const many = 5000 // more than a queue holds
	pair := newPair()
	noisy := bfd.Pair{Peer: pair.Local.Next(), Local: pair.Local}
	stranger := noisy.Peer.Next()
	for name, flood := range map[string]struct {
		from     netip.Addr
		hopLimit int
		reason   rejection
	}{
		"of another peer":                {noisy.Peer, maxHopLimit, malformed},
		"of a stranger":                  {stranger, maxHopLimit, unknownPeer},
		"with its address and from afar": {pair.Peer, 254, fromAfar},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, pair)
			s := newStepped(t, peering(pair), peering(noisy))
			s.round(&s.buffer) // opens the sessions' own sockets
			from := newSender(t, flood.from, flood.hopLimit)
			for range many {
				p.sendAs(from, []byte("flood"))
			}
			p.say(bfd.Up)
			s.round(&s.buffer)
			if !s.alive(pair) {
				t.Error("the peer's packet was not received")
			}
			if got := s.rejections.Counted(flood.reason); got > 20 {
				t.Errorf("%d packets of the flood were read in one round, want few", got)
			}
		})
	}
}

// An ICMP error that waits for a socket, and that any host can forge, keeps no packet
// from being read.
func TestNetworkErrorStarvesNoSession(t *testing.T) {
	p := newPeer(t, newPair())
	s := newStepped(t, peering(p.pair))
	s.round(&s.buffer) // opens the session's own socket
	own := int(s.open.sessions[p.pair].own)
	closed := sockaddr(netip.AddrPortFrom(p.pair.Peer, 1))
	if err := unix.Sendto(own, []byte("x"), 0, closed); err != nil {
		t.Fatal(err)
	}
	p.say(bfd.Up)
	s.round(&s.buffer)
	if !s.alive(p.pair) {
		t.Error("the peer's packet was not received")
	}
}

// A peer to which there was no route when its session began is received too.
func TestPeerWithoutOwnSocketIsReceived(t *testing.T) {
	p := newPeer(t, newPair())
	s := newStepped(t, peering(p.pair))
	s.open.sessions[p.pair].ownAfter = time.Hour
	p.say(bfd.Up)
	s.round(&s.buffer)
	if s.open.sessions[p.pair].isOwn || !s.alive(p.pair) {
		t.Errorf("own socket: %v, the packet was received: %v, want false, true", s.open.sessions[p.pair].isOwn, s.alive(p.pair))
	}
}
