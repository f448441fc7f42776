// Package bfd is the front end for balancers and routers that hold BFD sessions (RFC
// 5880) over a single hop (RFC 5881): keepalived, BIRD, FRR. It sends each configured
// peer the state of one service, and judges nothing itself.
//
// The protocol is in internal/bfd. This package has its sockets and clocks. One
// goroutine reads the packets that have arrived and sends those that are due, for all
// sessions at a time, some ten times a second: so few sessions cost as much as many, and
// a flood of packets wakes nothing. A goroutine for each session sends the changes of
// its answer at once. Each packet that is sent rests on an answer that was looked up for
// it.
//
// A packet's way is round (server.go), receiver.read, session.receive. It ends there: an
// answer to it is sent as all packets are, by session.advance, which round calls when
// one is due, and session.run when the verdict changes.
package bfd

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
)

// Checkers records the sessions. Its methods are safe for concurrent use.
type Checkers interface {
	BFDSession(p checkers.Peering) *checkers.BFDSession
}

// Config configures a Server.
type Config struct {
	Source   frontend.Source // gives the answers
	Checkers Checkers        // records the sessions and their peers
	File     string          // remembers over a restart how often peers send; "" = none does
	Logger   *slog.Logger    // logs changes of sessions, and rejections once a minute
}

// Server holds BFD sessions.
type Server struct {
	config     Config
	began      time.Time // the instant 0 of the sessions
	rejections rejections
	intervals  *intervals
	tasks      sync.WaitGroup
	configured chan struct{} // holds a token if Configure was called

	mu     sync.Mutex
	ctx    context.Context // of Run, nil before it; guarded by mu
	closed bool            // guarded by mu
	open   endpoints       // guarded by mu
}

// endpoints are sessions, and the receivers of their packets by local address.
type endpoints struct {
	sessions  map[bfd.Pair]*session
	receivers map[netip.Addr]*receiver
	tick      time.Duration // how often packets are read and sent
}

const (
	// maxTick is the longest time between two rounds of all sessions.
	maxTick = 100 * time.Millisecond
	// idle is how long a session waits for packets and changes that has nothing to do.
	idle = time.Hour
	// readRate is how many packets a second are read from one socket, at most. A
	// session at the shortest interval needs some 30.
	readRate = 1000
)

// tickOf returns the longest time between two rounds that a session with the interval
// needs. It is less than what the jitter leaves.
func tickOf(interval time.Duration) time.Duration { return min(maxTick, interval/8) }

// New returns a server without sessions.
func New(c Config) *Server {
	return &Server{
		config: c, began: time.Now(), rejections: newRejections(), intervals: newIntervals(c.File, c.Logger),
		configured: make(chan struct{}, 1),
	}
}

// Refused yields the reasons for which packets are discarded, and how many were.
func (s *Server) Refused(yield func(reason string, n uint64) bool) { s.rejections.All(yield) }

// Configure replaces the sessions. Those that do not change go on. One that is not
// there any more sends nothing: its peer misses it. One whose service changes says
// Down, because its peer must not take the old service for the new one. If Configure
// returns an error, which says what to do, all sessions stay as they are.
func (s *Server) Configure(peerings []bfd.Peering) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	next, err := s.bind(peerings)
	if err != nil {
		next.closeExcept(s.open)
		return err
	}
	for pair, one := range next.sessions {
		if old := s.open.sessions[pair]; old != nil && old.peering.Service != one.peering.Service {
			old.sayDown()
		}
	}
	s.open.closeExcept(next)
	s.open = next
	s.intervals.retain(next.sessions)
	for local, r := range next.receivers {
		r.peers = next.peersOf(local)
	}
	s.start()
	select {
	case s.configured <- struct{}{}:
	default:
	}
	return nil
}

// bind returns the endpoints of the sessions, those that are open already and new
// ones; also if there is an error. The caller holds mu.
func (s *Server) bind(peerings []bfd.Peering) (endpoints, error) {
	next := endpoints{make(map[bfd.Pair]*session), make(map[netip.Addr]*receiver), idle}
	for _, p := range peerings {
		if next.receivers[p.Local] == nil {
			r := s.open.receivers[p.Local]
			if r == nil {
				var err error
				if r, err = s.newReceiver(p.Local); err != nil {
					return next, err
				}
			}
			next.receivers[p.Local] = r
		}
		one := s.open.sessions[p.Pair]
		if one == nil || one.peering != p {
			var err error
			if one, err = s.newSession(p); err != nil {
				return next, err
			}
		}
		next.sessions[p.Pair] = one
		next.tick = min(next.tick, tickOf(p.Interval))
	}
	return next, nil
}

// closeExcept closes the endpoints that are not among the others too.
func (e endpoints) closeExcept(others endpoints) {
	for pair, one := range e.sessions {
		if others.sessions[pair] != one {
			one.close()
		}
	}
	for local, r := range e.receivers {
		if others.receivers[local] != r {
			r.socket.close()
		}
	}
}

// peersOf returns the sessions of a local address by peer.
func (e endpoints) peersOf(local netip.Addr) map[netip.Addr]*session {
	peers := make(map[netip.Addr]*session)
	for pair, one := range e.sessions {
		if pair.Local == local {
			peers[pair.Peer] = one
		}
	}
	return peers
}

// Run holds the sessions until ctx is done, then closes all sockets and returns nil.
// It sends nothing then, because the end of the sidecar says nothing about a program.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	s.ctx = ctx
	s.start()
	s.mu.Unlock()
	s.tasks.Go(func() { s.tick(ctx) })
	s.tasks.Go(func() { s.intervals.run(ctx) })
	s.rejections.Log(ctx, s.config.Logger, "BFD packets discarded")
	err := s.Close()
	s.tasks.Wait()
	return err
}

// start starts what is open and not started. The caller holds mu.
func (s *Server) start() {
	if s.ctx == nil || s.closed {
		return
	}
	for _, one := range s.open.sessions {
		one.started.Do(func() { s.tasks.Go(func() { one.run(s.ctx) }) })
	}
}

// tick reads and sends packets until ctx is done.
func (s *Server) tick(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	b := new(buffer)
	for {
		select {
		case <-timer.C:
		case <-s.configured:
		case <-ctx.Done():
			return
		}
		timer.Reset(s.round(b))
	}
}

// round reads the packets that have arrived and sends those that are due. It returns
// the time until the next round.
func (s *Server) round(b *buffer) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := max(8, int(readRate*s.open.tick.Seconds()))
	for _, r := range s.open.receivers {
		r.read(r.socket, most, b)
	}
	now := s.now()
	for pair, one := range s.open.sessions {
		if one.openOwn(now); one.isOwn {
			s.open.receivers[pair.Local].read(one.own, most, b)
		}
		one.advanceIfDue(s.now())
	}
	if len(s.open.sessions) == 0 {
		return idle
	}
	return s.open.tick
}

// Close closes all sockets, for a Server that is not run.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.open.closeExcept(endpoints{})
	s.open = endpoints{}
	return nil
}

// Sockets returns how many sockets the sessions need: two each, and one for each local
// address.
func Sockets(peerings []bfd.Peering) int {
	locals := make(map[netip.Addr]bool)
	for _, p := range peerings {
		locals[p.Local] = true
	}
	return 2*len(peerings) + len(locals)
}

// now is the present instant of the sessions.
func (s *Server) now() time.Duration { return time.Since(s.began) }
