package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/test/bfdpeer"
)

// bfdAttacks are what hosts on the link of BFD sessions, and others with a peer's
// address, can send.
func bfdAttacks() []attack {
	return []attack{
		{name: "BFD flood", what: "100,000 BFD packets a second: from strangers, with peers' addresses from afar, and valid and invalid ones of a peer", who: "link",
			measured: true, play: floodedSessions},
		{name: "BFD forgery", what: "BFD packets that say Down, of other hosts or recorded", who: "link", play: forgedDowns},
	}
}

// sessions are BFD sessions with one local address of landmarkd, and their peers.
type sessions struct {
	local  netip.Addr
	honest []bfd.Peering // their peers must never get a wrong answer
	keyed  bfd.Peering   // one of the honest ones, which has a key
	own    bfd.Peering   // that of the attacker
	peer   *bfdpeer.Peer // of own
}

// startSessions starts landmarkd with a healthy service and a hung one, and BFD
// sessions of both.
func (s *scene) startSessions() sessions {
	const keyFile = "7:6c616e646d61726b\n"
	path := filepath.Join(s.dir, "bfd.key")
	s.must(os.WriteFile(path, []byte(keyFile), 0o600))
	key, err := bfd.ReadKey(path)
	s.must(err)

	all := sessions{local: bfdpeer.NewLocal()}
	peerings := bfdpeer.Sessions("well", all.local, 6)
	peerings[1].Key = key
	peerings[2].Service = "hung"
	last := len(peerings) - 1
	all.honest, all.keyed, all.own = peerings[:last], peerings[1], peerings[last]
	for _, p := range all.honest {
		s.checkers.holdSession(s.peer(p), p)
	}
	all.peer = s.peer(all.own)
	s.startPair(s.config(bfdpeer.YAML(peerings, path))...)
	return all
}

// peer starts the peer of a session.
func (s *scene) peer(p bfd.Peering) *bfdpeer.Peer {
	peer, err := bfdpeer.Start(p)
	s.must(err)
	s.peers = append(s.peers, peer)
	return peer
}

// packet returns a packet of the session's peer as landmarkd accepts it.
func packet(p bfd.Peering, state bfd.State) bfd.Packet {
	peer := p
	peer.Peer, peer.Local = p.Local, p.Peer
	return bfd.Packet{
		State: state, Multiplier: p.Multiplier, MyDiscriminator: peer.Discriminator(), YourDiscriminator: p.Discriminator(),
		DesiredMinTX: p.Interval, RequiredMinRX: p.Interval,
	}
}

// packets are packets that an attacker sends again and again: each from an address
// and with a hop limit.
type packets []string

func (a *packets) add(from netip.Addr, hopLimit int, b []byte) {
	*a = append(*a, fmt.Sprintf("%v/%d/%x", from, hopLimit, b))
}

// addNonsense adds packets that landmarkd must discard, because they are malformed or
// for another session.
func (a *packets) addNonsense(p bfd.Peering, from netip.Addr) {
	for range 8 {
		garbage := make([]byte, rand.IntN(60))
		for i := range garbage {
			garbage[i] = byte(rand.Uint32())
		}
		a.add(from, 255, garbage)
		other := packet(p, bfd.Down)
		other.YourDiscriminator = rand.Uint32()
		a.add(from, 255, other.Append(nil))
	}
}

// stranger is an address without a session.
func (a *sessions) stranger() netip.Addr { return a.own.Peer.Next().Next() }

// floodedSessions floods the BFD sessions in several ways, in the short form with all
// of them at once.
func floodedSessions(s *scene) {
	all := s.startSessions()
	var strangers, far, nonsense, valid packets
	for _, p := range all.honest {
		down := packet(p, bfd.Down)
		strangers.add(all.stranger(), 255, down.Append(nil))
		strangers.addNonsense(p, all.stranger())
		far.add(p.Peer, 254, down.Append(nil))
	}
	nonsense.addNonsense(all.own, all.own.Peer)
	poll := packet(all.own, bfd.Up)
	poll.Poll = true
	valid.add(all.own.Peer, 255, poll.Append(nil))

	ways := []struct {
		name    string
		packets packets
	}{{"from strangers", strangers}, {"with the peers' addresses, from afar", far}, {"nonsense of a peer", nonsense}, {"valid ones of a peer", valid}}
	if !s.long {
		var mixed packets
		for _, way := range ways {
			mixed = append(mixed, way.packets...)
		}
		ways = ways[:1]
		ways[0].name, ways[0].packets = "of all kinds", mixed
	}
	for _, way := range ways {
		begun, before := time.Now(), all.peer.Received()
		attacker := s.attack("BFD flood", strings.Join(append([]string{all.local.String()}, way.packets...), " "), attackerUID)
		s.runFor(4*time.Second, 8*time.Second)
		attacker.kill()
		took := time.Since(begun)
		s.noteRate("BFD packets "+way.name, attacker)
		// It answers polls, at most one in 10 ms.
		if got, most := all.peer.Received()-before, int(took/(10*time.Millisecond))+10; got > most {
			s.fail("landmarkd sent a peer %d packets in %v, want at most %d", got, took, most)
		}
	}
}

// forgedDowns sends each honest peer's Down to landmarkd in ways that it must not
// believe.
func forgedDowns(s *scene) {
	all := s.startSessions()
	var forged packets
	for _, p := range all.honest {
		down := packet(p, bfd.Down)
		b := down.Append(nil)
		forged.add(all.stranger(), 255, b)
		forged.add(all.own.Peer, 255, b) // from another session's peer
		forged.add(p.Peer, 254, b)
		down.YourDiscriminator++
		forged.add(p.Peer, 255, down.Append(nil))
	}
	down := packet(all.keyed, bfd.Down)
	forged.add(all.keyed.Peer, 255, down.Append(nil)) // not authenticated
	other := all.keyed.Key
	other.Secret[0]++
	forged.add(all.keyed.Peer, 255, other.Append(nil, down, uint32(time.Now().Unix())))
	// An old one, as the attacker could record it when the session was down last.
	forged.add(all.keyed.Peer, 255, all.keyed.Key.Append(nil, down, uint32(time.Now().Unix()-60)))
	s.attack("BFD forgery", strings.Join(append([]string{all.local.String()}, forged...), " "), attackerUID)
	s.runFor(3*time.Second, 8*time.Second)
}

// floodBFD sends 100,000 packets a second, as far as it can, and writes how many.
func floodBFD(ctx context.Context, target string) error {
	return sendBFD(ctx, target, 100_000)
}

// forgeBFD sends 200 packets a second.
func forgeBFD(ctx context.Context, target string) error {
	return sendBFD(ctx, target, 200)
}

// sendBFD sends packets in turn. The target is landmarkd's address, then the packets.
func sendBFD(ctx context.Context, target string, rate int) error {
	fields := strings.Fields(target)
	local, err := netip.ParseAddr(fields[0])
	if err != nil {
		return err
	}
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, bfd.Port))
	type sender struct {
		conn     *ipv4.PacketConn
		messages []ipv4.Message
	}
	senders := make(map[string]*sender)
	for _, f := range fields[1:] {
		from, b, err := parsePacket(f)
		if err != nil {
			return err
		}
		one := senders[from.key()]
		if one == nil {
			conn, err := bfdpeer.Sender(from.address, from.hopLimit)
			if err != nil {
				return err
			}
			one = &sender{conn: ipv4.NewPacketConn(conn)}
			senders[from.key()] = one
		}
		one.messages = append(one.messages, ipv4.Message{Buffers: [][]byte{b}, Addr: to})
	}
	count := newCounter("packets")
	for ctx.Err() == nil {
		for _, one := range senders {
			n, err := one.conn.WriteBatch(one.messages, 0)
			if err != nil && !errors.Is(err, context.Canceled) {
				continue // ECONNREFUSED, for instance
			}
			count.add(n)
		}
		count.pace(rate)
	}
	return nil
}

// origin is where a packet seems to come from.
type origin struct {
	address  netip.Addr
	hopLimit int
}

func (o origin) key() string { return fmt.Sprint(o.address, o.hopLimit) }

// parsePacket parses an element of packets.
func parsePacket(text string) (from origin, b []byte, err error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return from, nil, fmt.Errorf("%q is no packet", text)
	}
	var errs [3]error
	from.address, errs[0] = netip.ParseAddr(parts[0])
	from.hopLimit, errs[1] = strconv.Atoi(parts[1])
	b, errs[2] = hex.DecodeString(parts[2])
	return from, b, errors.Join(errs[:]...)
}
