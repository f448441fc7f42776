package bfd

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
)

// The session follows the verdict: it comes up while the service serves, and ends
// with "path down" at once when it does not, until it serves again.
func TestSessionFollowsVerdict(t *testing.T) {
	r := newRegistry(t, 0)
	process := frontendtest.NewProcess(t, r, "epg")
	p := newPeer(t, newPair())
	f := newFixture(t, r, peering(p.pair))
	if got := p.next(); got.State != bfd.Down || got.Diagnostic != bfd.PathDown || got.DesiredMinTX < time.Second {
		t.Errorf("a service that has not started: %+v", got)
	}
	p.say(bfd.Down)
	p.say(bfd.Init)
	if got := p.next(); got.State != bfd.Down || got.Diagnostic != bfd.PathDown {
		t.Errorf("a service that has not started, whatever the peer sends: %+v", got)
	}

	for range 2 {
		process.Work()
		p.begin()
		p.say(bfd.Up)
		if got := p.await(bfd.Up, bfd.Init); !got.Poll || got.DesiredMinTX != 100*time.Millisecond || got.RequiredMinRX != 100*time.Millisecond || got.YourDiscriminator != 7 {
			t.Errorf("Up is %+v", got)
		}
		poll := p.packet(bfd.Up)
		poll.Poll = true
		p.sendAs(p.send, poll.Append(nil))
		for !p.await(bfd.Up, bfd.Up).Final {
		}
		process.Stall()
		if got := p.await(bfd.Down, bfd.Up); got.Diagnostic != bfd.PathDown {
			t.Errorf("the service stalls: %+v", got)
		}
	}
	// Changes that follow one another at once are logged as one.
	f.awaitLog("state=Up service=epg peer="+p.pair.Peer.String(), 1)
	f.awaitLog("state=Down service=epg peer="+p.pair.Peer.String()+" local="+p.pair.Local.String()+` why="the service does not serve"`, 1)
}

// The record shows the session before its peer has sent anything, then its state, and
// why it is Down. A reload that removes the session removes the record.
func TestSessionIsRecorded(t *testing.T) {
	r := newRegistry(t, 0)
	process := frontendtest.NewProcess(t, r, "epg")
	p := newPeer(t, newPair())
	f := newFixture(t, r, peering(p.pair))
	process.Work()
	f.awaitRecord(checkers.BFDState{Why: "no valid packet has arrived yet"})
	p.begin()
	f.awaitRecord(checkers.BFDState{PeerAlive: true, Why: "the peer has not answered"})
	p.say(bfd.Up)
	f.awaitRecord(checkers.BFDState{PeerAlive: true, Up: true})
	process.Stall()
	f.awaitRecord(checkers.BFDState{PeerAlive: true, Why: "the service does not serve"})
	process.Work()
	p.drain() // an Up of before
	p.begin()
	p.say(bfd.Up)
	f.awaitRecord(checkers.BFDState{PeerAlive: true, Up: true})
	last := p.packet(bfd.Up)
	last.Multiplier, last.DesiredMinTX = 1, 100*time.Millisecond
	p.sendAs(p.send, last.Append(nil))
	f.awaitRecord(checkers.BFDState{Why: "the peer is silent"})
	if got := f.checkers.BFDSessions()[0].Peering; got != (checkers.Peering{Name: "epg", Peer: p.pair.Peer, Local: p.pair.Local}) {
		t.Errorf("the session is recorded as %+v", got)
	}
	if err := f.Configure(nil); err != nil {
		t.Fatal(err)
	}
	await(t, "the record ends", func() bool { return len(f.checkers.BFDSessions()) == 0 })
}

// awaitRecord waits until the only session is recorded in the state.
func (f *fixture) awaitRecord(want checkers.BFDState) {
	f.t.Helper()
	await(f.t, fmt.Sprintf("%+v", want), func() bool {
		got := f.checkers.BFDSessions()
		return len(got) == 1 && got[0].BFDState == want
	})
}

// A restart is no event for the peer: landmarkd sends nothing until the program has
// reported, and then goes on with the session that is up.
func TestRestartIsNoEvent(t *testing.T) {
	p := newPeer(t, newPair())
	old := newRegistry(t, 0)
	frontendtest.NewProcess(t, old, "epg").Work()
	f := newFixture(t, old, peering(p.pair))
	p.begin()
	p.say(bfd.Up)
	first := p.await(bfd.Up, bfd.Init)
	f.stop()

	restarted := newRegistry(t, time.Hour) // the program is awaited
	f = newFixture(t, restarted, peering(p.pair))
	for range 3 {
		p.say(bfd.Up)
		await(t, "the packet is read", func() bool { return f.received(p.pair) })
	}
	frontendtest.NewProcess(t, restarted, "epg").Work()
	if got := p.await(bfd.Up, bfd.Up); got.MyDiscriminator != first.MyDiscriminator {
		t.Errorf("the discriminator is %d, was %d", got.MyDiscriminator, first.MyDiscriminator)
	}
	f.awaitLog("state=Up", 1)
	if f.log.Count("state=Down") > 0 {
		t.Errorf("the session went down:\n%s", f.log)
	}
}

// received reports whether the session has received a packet.
func (f *fixture) received(p bfd.Pair) bool {
	f.Server.mu.Lock()
	s := f.open.sessions[p]
	f.Server.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.PeerAlive()
}

// The end of landmarkd sends nothing: the last packet is Up.
func TestStopSendsNothing(t *testing.T) {
	r := newRegistry(t, 0)
	frontendtest.NewProcess(t, r, "epg").Work()
	p := newPeer(t, newPair())
	f := newFixture(t, r, peering(p.pair))
	p.say(bfd.Up)
	p.await(bfd.Up, bfd.Up)
	f.stop()
	marker := p.packet(bfd.AdminDown)
	p.send.WriteToUDPAddrPort(marker.Append(nil), netip.AddrPortFrom(p.pair.Peer, bfd.Port))
	for {
		var data [256]byte
		n, _, err := p.receive.ReadFromUDPAddrPort(data[:])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := bfd.Parse(data[:n]); err != nil || got.State == bfd.AdminDown {
			break
		} else if got.State != bfd.Up {
			t.Errorf("sent %+v", got)
		}
	}
}

// A reload keeps the sessions that do not change, and takes all changes or none.
func TestConfigureKeepsUnchangedSessions(t *testing.T) {
	r := newRegistry(t, 0)
	frontendtest.NewProcess(t, r, "epg").Work()
	kept, changed, removed, added := newPeer(t, newPair()), newPeer(t, newPair()), newPeer(t, newPair()), newPeer(t, newPair())
	f := newFixture(t, r, peering(kept.pair), peering(changed.pair), peering(removed.pair))
	for _, p := range []*peer{kept, changed, removed} {
		p.say(bfd.Up)
		p.await(bfd.Up, bfd.Up)
	}
	sockets := f.sockets()
	before := f.open.sessions[kept.pair]
	slower := peering(changed.pair)
	slower.Interval = 200 * time.Millisecond
	taken := peering(bfd.Pair{Peer: kept.pair.Local, Local: kept.pair.Peer})

	err := f.Configure([]bfd.Peering{peering(added.pair), slower, taken})
	want := "bfd: cannot listen on UDP port 3784 of " + kept.pair.Peer.String() + ": address already in use; stop the other BFD daemon on this host"
	if err == nil || err.Error() != want {
		t.Errorf("a taken port: %v, want %s", err, want)
	}
	if f.sockets() != sockets {
		t.Errorf("%d sockets are open after an error, want %d", f.sockets(), sockets)
	}
	for _, p := range []*peer{kept, changed, removed} {
		p.await(bfd.Up, bfd.Up)
	}

	if err := f.Configure([]bfd.Peering{peering(added.pair), slower, peering(kept.pair)}); err != nil {
		t.Fatal(err)
	}
	if f.open.sessions[kept.pair] != before {
		t.Error("the session that did not change is a new one")
	}
	changed.say(bfd.Up)
	for changed.await(bfd.Up, bfd.Up).DesiredMinTX != 200*time.Millisecond {
	}
	added.begin()
	kept.await(bfd.Up, bfd.Up)
	if got := f.sockets(); got != sockets {
		t.Errorf("%d sockets are open, want %d", got, sockets)
	}
	if err := f.Configure(nil); err != nil || f.sockets() != 0 {
		t.Errorf("without sessions: %v, %d sockets", err, f.sockets())
	}
}

// A reload that puts another service in a session's place ends it by a packet that also
// FRR accepts, which has the peer's discriminator. Otherwise the peer would take the old
// service for the new one until it misses packets.
func TestChangeOfServiceEndsSession(t *testing.T) {
	r := newRegistry(t, 0)
	frontendtest.NewProcess(t, r, "epg").Work()
	p := newPeer(t, newPair())
	f := newFixture(t, r, peering(p.pair))
	p.say(bfd.Up)
	up := p.await(bfd.Up, bfd.Up)
	other := peering(p.pair)
	other.Service = "guide"
	if err := f.Configure([]bfd.Peering{other}); err != nil {
		t.Fatal(err)
	}
	if got := p.await(bfd.Down, bfd.Up); got.MyDiscriminator != up.MyDiscriminator || got.YourDiscriminator != 7 {
		t.Errorf("Down is from %d to %d, want from %d to 7", got.MyDiscriminator, got.YourDiscriminator, up.MyDiscriminator)
	}
	if got := p.await(bfd.Down, bfd.Down); got.MyDiscriminator != other.Discriminator() {
		t.Errorf("then Down is from %d, want %d", got.MyDiscriminator, other.Discriminator())
	}
}

func TestBindErrorSaysWhatToDo(t *testing.T) {
	local := netip.MustParseAddr("192.0.2.7")
	for err, want := range map[error]string{
		os.NewSyscallError("bind", unix.EADDRNOTAVAIL): "cannot assign requested address; write an address of this host as local",
		os.NewSyscallError("bind", unix.EADDRINUSE):    "address already in use; stop the other BFD daemon on this host",
		os.NewSyscallError("socket", unix.EMFILE):      "too many open files; raise LimitNOFILE= in landmarkd's unit, or ulimit -n, or remove sessions",
		os.NewSyscallError("bind", unix.EACCES):        "permission denied; see whether this user may open UDP sockets there",
	} {
		if got := bindError(local, &net.OpError{Op: "listen", Err: err}).Error(); got != "bfd: cannot listen on UDP port 3784 of 192.0.2.7: "+want {
			t.Errorf("%v: the error is %s", err, got)
		}
	}
}

// Packets that are not from the peer over one hop change nothing, and are counted.
func TestRejections(t *testing.T) {
	r := newRegistry(t, 0)
	frontendtest.NewProcess(t, r, "epg").Work()
	p := newPeer(t, newPair())
	f := newFixture(t, r, peering(p.pair))
	p.say(bfd.Up)
	p.await(bfd.Up, bfd.Up)

	down := p.packet(bfd.Down)
	other := down
	other.YourDiscriminator++
	stranger := p.pair.Local.Next()
	key := bfd.Key{Number: 1, Secret: [bfd.MaxSecret]byte{1}}
	for i := range 10 {
		p.sendAs(newSender(t, stranger, 254-i), down.Append(nil))
		p.sendAs(newSender(t, stranger, maxHopLimit), down.Append(nil))
		p.sendAs(p.send, down.Append(nil)[:23])
		p.sendAs(p.send, other.Append(nil))
		p.sendAs(p.send, key.Append(nil, down, 1))
	}
	for reason := range unauthenticated + 1 {
		await(t, fmt.Sprintf("reason %d", reason), func() bool { return f.rejections.Counted(reason) == 10 })
	}
	p.await(bfd.Up, bfd.Up)
	if f.log.Count("state=Down") > 0 {
		t.Errorf("the session went down:\n%s", f.log)
	}
	p.say(bfd.Down)
	p.await(bfd.Down, bfd.Up)
}

// Receiving allocates nothing, whatever arrives.
func TestReceiveAllocatesNothing(t *testing.T) {
	r := newRegistry(t, 0)
	frontendtest.NewProcess(t, r, "epg").Work()
	p := newPeer(t, newPair())
	signed := peering(p.pair)
	signed.Key = bfd.Key{Number: 1, Secret: [bfd.MaxSecret]byte{1}}
	f := newFixture(t, r, signed)
	receiver := f.open.receivers[p.pair.Local]
	f.stop() // the receiver is for one goroutine
	up := p.packet(bfd.Up)
	valid := signed.Key.Append(nil, up, 1)
	control := []byte{20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0}
	before := f.rejections.Counted(unauthenticated)
	for what, b := range map[string][]byte{"a valid packet": valid, "an unsigned one": up.Append(nil), "a short one": valid[:10]} {
		if n := testing.AllocsPerRun(100, func() { receiver.receive(b, control, p.pair.Peer) }); n > 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	if got := f.rejections.Counted(unauthenticated) - before; got == 0 || f.rejections.Counted(fromAfar) > 0 {
		t.Errorf("%d packets were unauthenticated, and %d from afar", got, f.rejections.Counted(fromAfar))
	}
	if n := testing.AllocsPerRun(100, func() { receiver.receive(valid, nil, p.pair.Peer) }); n > 0 || f.rejections.Counted(fromAfar) == 0 {
		t.Errorf("a packet from afar: %v allocations, %d counted", n, f.rejections.Counted(fromAfar))
	}
}
