package bfd

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/logtest"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// timeout is how long a test waits for what must happen.
const timeout = 30 * time.Second

// newPair returns two loopback addresses that no other test has.
func newPair() bfd.Pair {
	a, b := byte(1+rand.IntN(254)), byte(rand.IntN(256))
	return bfd.Pair{Peer: netip.AddrFrom4([4]byte{127, a, b, 1}), Local: netip.AddrFrom4([4]byte{127, a, b, 2})}
}

// peering returns a session of the service epg.
func peering(p bfd.Pair) bfd.Peering {
	return bfd.Peering{Pair: p, Service: "epg", Interval: 100 * time.Millisecond, Multiplier: 255}
}

// newRegistry returns a registry in which a process of the service epg may be silent
// for as long as a test takes.
func newRegistry(t *testing.T, startGrace time.Duration) *registry.Registry {
	t.Helper()
	r := frontendtest.NewRegistry(t, startGrace)
	policy := registry.DefaultPolicy
	policy.StaleAfter = time.Hour
	r.Configure(map[string]registry.Policy{"epg": policy}, nil)
	return r
}

// fixture is a server over a registry.
type fixture struct {
	*Server
	t        *testing.T
	registry *registry.Registry
	checkers *checkers.Tracker
	log      *logtest.Buffer
	ended    chan error
	cancel   context.CancelFunc
}

// newFixture returns a server that runs until the test ends or stop.
func newFixture(t *testing.T, r *registry.Registry, peerings ...bfd.Peering) *fixture {
	t.Helper()
	return newFixtureWith(t, r, "", peerings...)
}

// newFixtureWith is newFixture for a server with a file.
func newFixtureWith(t *testing.T, r *registry.Registry, file string, peerings ...bfd.Peering) *fixture {
	t.Helper()
	f := &fixture{t: t, registry: r, checkers: frontendtest.NewTracker(), log: new(logtest.Buffer), ended: make(chan error, 1)}
	f.Server = New(Config{Source: r, Checkers: f.checkers, File: file, Logger: slog.New(slog.NewTextHandler(f.log, nil))})
	if err := f.Configure(peerings); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f.cancel = cancel
	go func() { f.ended <- f.Run(ctx) }()
	t.Cleanup(f.stop)
	return f
}

// stop stops the server as SIGTERM does. It may be called again.
func (f *fixture) stop() {
	f.cancel()
	if err, ok := <-f.ended; ok {
		if err != nil {
			f.t.Errorf("Run: %v", err)
		}
		close(f.ended)
	}
}

// sockets returns how many sockets the server has, or will have.
func (f *fixture) sockets() int {
	f.Server.mu.Lock()
	defer f.Server.mu.Unlock()
	var peerings []bfd.Peering
	for _, one := range f.open.sessions {
		peerings = append(peerings, one.peering)
	}
	if n := Sockets(peerings); n != 2*len(f.open.sessions)+len(f.open.receivers) {
		f.t.Errorf("%d sockets are needed for %d sessions at %d addresses", n, len(f.open.sessions), len(f.open.receivers))
	}
	return Sockets(peerings)
}

// await waits until the condition holds.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.After(timeout)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: not within %v", what, timeout)
		}
	}
}

// awaitLog waits until the log has the text n times.
func (f *fixture) awaitLog(text string, n int) {
	f.t.Helper()
	await(f.t, text, func() bool { return f.log.Count(text) >= n })
}

// peer is the other end of a session, as far as a test plays it.
type peer struct {
	t       *testing.T
	pair    bfd.Pair // as the server has it
	receive *net.UDPConn
	send    *net.UDPConn
}

func newPeer(t *testing.T, p bfd.Pair) *peer {
	t.Helper()
	receive := newConn(t, netip.AddrPortFrom(p.Peer, bfd.Port), unix.IP_RECVTTL, 1)
	return &peer{t, p, receive, newSender(t, p.Peer, maxHopLimit)}
}

// newConn returns a UDP socket with an option of IPv4.
func newConn(t *testing.T, local netip.AddrPort, option, value int) *net.UDPConn {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, option, value) })
		return errors.Join(failed, err)
	}}
	conn, err := config.ListenPacket(t.Context(), "udp4", local.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.UDPConn)
}

// newSender returns a socket that sends packets with the hop limit.
func newSender(t *testing.T, from netip.Addr, hopLimit int) *net.UDPConn {
	t.Helper()
	return newConn(t, netip.AddrPortFrom(from, 0), unix.IP_TTL, hopLimit)
}

// sendAs sends the bytes to the server from a socket.
func (p *peer) sendAs(from *net.UDPConn, b []byte) {
	p.t.Helper()
	if _, err := from.WriteToUDPAddrPort(b, netip.AddrPortFrom(p.pair.Local, bfd.Port)); err != nil {
		p.t.Fatal(err)
	}
}

// packet returns a packet to the server's session of the service epg.
func (p *peer) packet(state bfd.State) bfd.Packet {
	own := peering(p.pair)
	return bfd.Packet{
		State: state, Multiplier: 255, MyDiscriminator: 7, YourDiscriminator: own.Discriminator(),
		DesiredMinTX: time.Second, RequiredMinRX: 100 * time.Millisecond,
	}
}

// say sends a packet.
func (p *peer) say(state bfd.State) {
	p.t.Helper()
	packet := p.packet(state)
	p.sendAs(p.send, packet.Append(nil))
}

// next returns the server's next packet, and checks how it was sent.
func (p *peer) next() bfd.Packet {
	p.t.Helper()
	p.receive.SetReadDeadline(time.Now().Add(timeout))
	var data, control [256]byte
	n, oobn, _, from, err := p.receive.ReadMsgUDPAddrPort(data[:], control[:])
	if err != nil {
		p.t.Fatal(err)
	}
	if limit := hopLimit(control[:oobn]); limit != 255 {
		p.t.Errorf("the hop limit is %d, want 255", limit)
	}
	if from.Addr() != p.pair.Local || from.Port() < 49152 {
		p.t.Errorf("a packet from %v, want one from %v and a port from 49152", from, p.pair.Local)
	}
	packet, err := bfd.Parse(data[:n])
	if err != nil {
		p.t.Fatal(err)
	}
	return packet
}

// begin begins the handshake: it sends Down until the server answers with Init.
func (p *peer) begin() {
	p.t.Helper()
	for {
		p.say(bfd.Down)
		switch got := p.next().State; got {
		case bfd.Init:
			return
		case bfd.Up, bfd.AdminDown:
			p.t.Fatalf("received %v", got)
		}
	}
}

// await returns the server's next packet in a state, and checks that those before are
// in another given one.
func (p *peer) await(want, before bfd.State) bfd.Packet {
	p.t.Helper()
	for {
		packet := p.next()
		if packet.State == want {
			return packet
		}
		if packet.State != before {
			p.t.Fatalf("received %v, want %v, and before it only %v", packet.State, want, before)
		}
	}
}
