package bfd

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sleep"
)

const (
	// overloadPause is how long a session waits until it looks for a final answer
	// again, if too many checkers wait for one.
	overloadPause = 100 * time.Millisecond
	// logInterval is the shortest time between two lines of the log about one
	// session, so that a peer that sends nonsense cannot flood it.
	logInterval = 2 * time.Second
)

// session sends one peer what the answer about one service is.
type session struct {
	peering bfd.Peering
	server  *Server
	conn    *net.UDPConn // to send
	to      netip.AddrPort
	started sync.Once
	ctx     context.Context // done when the session is closed
	cancel  context.CancelFunc
	woken   chan struct{} // holds a token if a packet has made something due

	mu      sync.Mutex
	machine *bfd.Session  // guarded by mu
	next    time.Duration // when run calls advance again; guarded by mu

	// For run only.
	logged   bfd.State
	loggedAt time.Duration
}

func (s *Server) newSession(p bfd.Peering) (*session, error) {
	conn, err := dial(p)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &session{
		peering: p,
		server:  s,
		conn:    conn,
		to:      netip.AddrPortFrom(p.Peer, bfd.Port),
		ctx:     ctx,
		cancel:  cancel,
		woken:   make(chan struct{}, 1),
		machine: bfd.NewSession(bfd.Config{
			Discriminator: p.Discriminator(),
			Interval:      p.Interval,
			Multiplier:    p.Multiplier,
			Passive:       p.Passive,
			Key:           p.Key,
			Epoch:         time.Duration(s.begun.UnixNano()),
			Random:        rand.Float64,
		}),
		logged:   bfd.Down,
		loggedAt: -logInterval,
	}, nil
}

// close closes the session's socket and ends run. Nothing is sent from then on.
func (s *session) close() {
	s.conn.Close()
	s.cancel()
}

// receive takes a packet from the peer. The error says why it was discarded.
func (s *session) receive(b []byte, p *bfd.Packet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.machine.Receive(b, p, s.server.now()); err != nil {
		return err
	}
	if next, ok := s.machine.Next(); ok && next < s.next {
		select {
		case s.woken <- struct{}{}:
		default: // there is a token already
		}
	}
	return nil
}

// run sends packets until the session is closed or the server stops. Each packet
// rests on an answer that is final when it is sent. While there is none, nothing is
// sent.
func (s *session) run(server context.Context) {
	ctx := s.ctx
	defer context.AfterFunc(server, s.cancel)()
	source, name := s.server.config.Source, []byte(s.peering.Service)
	// Subscribe before the first lookup, so that no change is missed.
	sub := source.Subscribe(name)
	defer sub.Close()
	record := s.server.config.Checkers.BFDSession(checkers.Peering{Name: s.peering.Service, Peer: s.peering.Peer, Local: s.peering.Local})
	defer record.End()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var out []byte
	for {
		a, final := source.Lookup(name, registry.AnyAge)
		if !final {
			var err error
			if a, err = source.Await(ctx, name, registry.AnyAge); err != nil {
				if !sleep.For(ctx, overloadPause) {
					return
				}
				continue
			}
		}
		next := s.advance(&out, translate(a.Status), record, frontend.CheckOf(name, &a))
		timer.Reset(next - s.server.now())
		select {
		case <-timer.C:
		case <-s.woken:
		case <-sub.Changed():
		case <-ctx.Done():
			return
		}
	}
}

// translate translates the status into the verdict of the session.
func translate(status judge.Status) bfd.Verdict {
	if status == judge.Serving {
		return bfd.Serving
	}
	return bfd.NotServing
}

// idle is how long a session waits for packets and changes that has nothing to do.
const idle = time.Hour

// advance sends the packet that is due under the verdict, and returns the instant at
// which to call advance again.
func (s *session) advance(out *[]byte, v bfd.Verdict, record *checkers.BFDSession, q checkers.Check) (next time.Duration) {
	now := s.server.now()
	s.mu.Lock()
	s.machine.SetVerdict(v, now)
	*out = s.machine.Advance((*out)[:0], now)
	state, diagnostic := s.machine.State()
	if state == bfd.Init {
		state = bfd.Down // people need not know the steps of the handshake
	}
	present := checkers.BFDState{Up: state == bfd.Up, PeerAlive: s.machine.PeerAlive(), Why: s.machine.Why()}
	next, ok := s.machine.Next()
	if !ok {
		next = now + idle
	}
	logAt := s.loggedAt + logInterval
	if state != s.logged && now < logAt {
		next = min(next, logAt)
	}
	s.next = next
	s.mu.Unlock()
	if len(*out) > 0 {
		// A packet that cannot be sent is like one that is lost.
		_, _ = s.conn.WriteToUDPAddrPort(*out, s.to)
	}
	record.Record(q, present)
	if state != s.logged && now >= logAt {
		s.log(state, diagnostic, now)
	}
	return next
}

// log logs that the state has changed.
func (s *session) log(state bfd.State, diagnostic bfd.Diagnostic, now time.Duration) {
	s.logged, s.loggedAt = state, now
	attributes := []any{"state", state, "service", s.peering.Service, "peer", s.peering.Peer, "local", s.peering.Local}
	if state == bfd.Down {
		attributes = append(attributes, "why", diagnostic)
	}
	s.server.config.Logger.Info("BFD session changed", attributes...)
}
