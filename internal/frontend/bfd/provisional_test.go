package bfd

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// pausedSource says SERVING, but that this is not final while it is paused. Whoever
// awaits the final answer gets NOT_SERVING, once that is released.
type pausedSource struct {
	frontend.Source
	paused   atomic.Bool
	stopped  atomic.Bool
	awaited  chan struct{}
	released chan struct{}
}

func (s *pausedSource) Lookup([]byte, time.Duration) (registry.Answer, bool) {
	status := judge.Serving
	if s.stopped.Load() {
		status = judge.NotServing
	}
	return registry.Answer{Status: status}, !s.paused.Load()
}

func (s *pausedSource) Await(ctx context.Context, _ []byte, _ time.Duration) (registry.Answer, error) {
	s.awaited <- struct{}{}
	select {
	case <-s.released:
		s.stopped.Store(true)
		s.paused.Store(false)
		return registry.Answer{Status: judge.NotServing}, nil
	case <-ctx.Done():
		return registry.Answer{}, ctx.Err()
	}
}

// A provisional answer sends nothing, not even to a peer that polls: a landmarkd that
// was paused does not know yet whether the service still serves.
func TestProvisionalAnswerIsNotSent(t *testing.T) {
	source := &pausedSource{Source: newRegistry(t, 0), awaited: make(chan struct{}, 1), released: make(chan struct{}, 1)}
	p := newPeer(t, newPair())
	s := New(Config{Source: source, Checkers: frontendtest.NewTracker(), Logger: slog.New(slog.DiscardHandler)})
	if err := s.Configure([]bfd.Peering{peering(p.pair)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	p.say(bfd.Up)
	p.await(bfd.Up, bfd.Up)

	source.paused.Store(true)
	select {
	case <-source.awaited:
	case <-time.After(timeout):
		t.Fatal("the session does not wait for the final answer")
	}
	p.drain()
	poll := p.packet(bfd.Up)
	poll.Poll = true
	for range 10 {
		p.sendAs(p.send, poll.Append(nil))
	}
	await(t, "a packet is due", func() bool { return s.isDue(p.pair) })
	source.released <- struct{}{}
	if got := p.next(); got.State != bfd.Down || got.Diagnostic != bfd.PathDown {
		t.Errorf("the first packet is %+v", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// isDue reports whether the session would send a packet under a final answer.
func (s *Server) isDue(p bfd.Pair) bool {
	s.mu.Lock()
	one := s.open.sessions[p]
	s.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	next, ok := one.machine.Next()
	return ok && next <= s.now()
}

// drain reads what has arrived already.
func (p *peer) drain() {
	p.t.Helper()
	var data [256]byte
	for {
		p.receive.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, _, err := p.receive.ReadFromUDPAddrPort(data[:]); err != nil {
			return
		}
	}
}
