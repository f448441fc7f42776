package bfd

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

const (
	// overloadPause is how long a session waits until it looks for a final answer
	// again, if too many checkers wait for one and there is no change.
	overloadPause = 100 * time.Millisecond
	// logInterval is the shortest time between two lines of the log about one
	// session, so that a peer that sends nonsense cannot flood it.
	logInterval = 2 * time.Second
	// routeInterval is how often a session tries to open its own socket.
	routeInterval = 5 * time.Second
)

// session sends one peer what the answer about one service is.
type session struct {
	peering bfd.Peering
	server  *Server
	to      unix.Sockaddr
	started sync.Once
	ctx     context.Context // done when the session is closed
	cancel  context.CancelFunc
	woken   chan struct{} // holds a token if a packet is due, but no answer is final

	// For the server, under its mutex.
	own      socket // receives the peer's packets, if isOwn
	isOwn    bool
	ownAfter time.Duration // when to try to open it

	mu       sync.Mutex // guards what follows
	closed   bool
	send     socket // until closed
	machine  *bfd.Session
	interval time.Duration // of the peer's packets while it is Up; 0 = none has arrived
	next     time.Duration // when something is due
	record   *checkers.BFDSession
	out      []byte
	logged   bfd.State
	loggedAt time.Duration
}

func (s *Server) newSession(p bfd.Peering) (*session, error) {
	send, err := dial(p)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &session{
		peering: p,
		server:  s,
		to:      sockaddr(netip.AddrPortFrom(p.Peer, bfd.Port)),
		ctx:     ctx,
		cancel:  cancel,
		woken:   make(chan struct{}, 1),
		send:    send,
		machine: bfd.NewSession(bfd.Config{
			Discriminator: p.Discriminator(),
			Interval:      p.Interval,
			Multiplier:    p.Multiplier,
			Passive:       p.Passive,
			PeerInterval:  s.intervals.of(p.Pair),
			Key:           p.Key,
			Epoch:         time.Duration(s.began.UnixNano()),
			Random:        rand.Float64,
			Lateness:      tickOf(p.Interval),
		}),
		record:   s.config.Checkers.BFDSession(checkers.Peering{Name: p.Service, Peer: p.Peer, Local: p.Local}),
		logged:   bfd.Down,
		loggedAt: -logInterval,
	}, nil
}

// close closes the session's sockets and ends run. Nothing is sent from then on.
func (s *session) close() {
	if s.isOwn {
		s.own.close()
		s.isOwn = false
	}
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.send.close()
	s.record.End()
}

// sayDown ends the session before close, whatever its service does.
func (s *session) sayDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transmit(bfd.NotServing, s.server.now())
}

// openOwn opens the session's own socket, if it is not open and it is time to try.
func (s *session) openOwn(now time.Duration) {
	if s.isOwn || now < s.ownAfter {
		return
	}
	own, err := listenTo(s.peering.Pair)
	s.own, s.isOwn = own, err == nil
	s.ownAfter = now + routeInterval
}

// receive takes a packet from the peer. The error says why it was discarded.
func (s *session) receive(b []byte, p *bfd.Packet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.machine.Receive(b, p, s.server.now()); err != nil {
		return err
	}
	if p.State == bfd.Up && p.DesiredMinTX != s.interval {
		s.interval = p.DesiredMinTX
		s.server.intervals.set(s.peering.Pair, s.interval)
	}
	if next, ok := s.machine.Next(); ok {
		s.next = min(s.next, next)
	}
	return nil
}

// advanceIfDue sends the packet that is due at the instant now, if one is.
func (s *session) advanceIfDue(now time.Duration) {
	s.mu.Lock()
	due := s.next <= now
	s.mu.Unlock()
	if due && !s.advance() {
		select {
		case s.woken <- struct{}{}:
		default: // there is a token already
		}
	}
}

// run follows the changes of the answer until the session is closed or the server
// stops.
func (s *session) run(server context.Context) {
	ctx := s.ctx
	defer context.AfterFunc(server, s.cancel)()
	source, name := s.server.config.Source, []byte(s.peering.Service)
	// Subscribe before the first lookup, so that no change is missed.
	sub := source.Subscribe(name)
	defer sub.Close()
	for {
		if !s.advance() {
			if _, err := source.Await(ctx, name, registry.AnyAge); err != nil {
				select {
				case <-time.After(overloadPause):
				case <-sub.Changed(): // the answer may be final by now
				case <-ctx.Done():
					return
				}
			}
			continue
		}
		select {
		case <-s.woken:
		case <-sub.Changed():
		case <-ctx.Done():
			return
		}
	}
}

// advance looks up the answer, and sends the packet that is due under it. Each packet
// rests on an answer that is final when it is sent. While there is none, advance
// returns false, and nothing is sent.
func (s *session) advance() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return true
	}
	name := []byte(s.peering.Service)
	a, final := s.server.config.Source.Lookup(name, registry.AnyAge)
	if !final {
		s.next = s.server.now() + idle // run advances it
		return false
	}
	now := s.server.now()
	s.transmit(translate(a.Status), now)
	next, ok := s.machine.Next()
	if !ok {
		next = now + idle
	}
	s.next = s.log(now, next)
	state, _ := s.machine.State()
	s.record.Record(frontend.CheckOf(name, &a), checkers.BFDState{Up: state == bfd.Up, PeerAlive: s.machine.PeerAlive(), Why: s.machine.Why()})
	return true
}

// translate translates the status into the verdict of the session.
func translate(status judge.Status) bfd.Verdict {
	if status == judge.Serving {
		return bfd.Serving
	}
	return bfd.NotServing
}

// transmit sends the packet that is due under the verdict, if one is. The caller holds
// mu.
func (s *session) transmit(v bfd.Verdict, now time.Duration) {
	s.machine.SetVerdict(v, now)
	s.out = s.machine.Advance(s.out[:0], now)
	if len(s.out) > 0 {
		// A packet that cannot be sent is like one that is lost.
		_ = unix.Sendto(int(s.send), s.out, 0, s.to)
	}
}

// log logs if the state has changed. It returns next, or an earlier instant at which
// to log.
func (s *session) log(now, next time.Duration) time.Duration {
	state, diagnostic := s.machine.State()
	if state == bfd.Init {
		state = bfd.Down // people need not know the steps of the handshake
	}
	if state == s.logged {
		return next
	}
	if at := s.loggedAt + logInterval; now < at {
		return min(next, at)
	}
	s.logged, s.loggedAt = state, now
	attributes := []any{"state", state, "service", s.peering.Service, "peer", s.peering.Peer, "local", s.peering.Local}
	if state == bfd.Down {
		attributes = append(attributes, "why", diagnostic)
	}
	s.server.config.Logger.Info("BFD session changed", attributes...)
	return next
}
