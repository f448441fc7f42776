package bfd

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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

// overloadedSource is a source for whose final answer too many wait.
type overloadedSource struct {
	frontend.Source
	final   atomic.Bool
	refused atomic.Int32
}

func (s *overloadedSource) Lookup(name []byte, maxAge time.Duration) (registry.Answer, bool) {
	a, _ := s.Source.Lookup(name, maxAge)
	return a, s.final.Load()
}

func (s *overloadedSource) Await(context.Context, []byte, time.Duration) (registry.Answer, error) {
	s.refused.Add(1)
	return registry.Answer{}, registry.ErrOverloaded
}

// A session for whose final answer too many wait follows a change at once if the answer is
// final by then.
func TestFinalChangeIsFollowedAfterOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t, 0)
		process := frontendtest.NewProcess(t, r, "epg")
		process.Work()
		source := &overloadedSource{Source: r}
		tracker := frontendtest.NewTracker()
		s := New(Config{Source: source, Checkers: tracker, Logger: slog.New(slog.DiscardHandler)})
		one, err := s.newSession(peering(newPair()))
		if err != nil {
			t.Fatal(err)
		}
		var runs sync.WaitGroup
		runs.Go(func() { one.run(t.Context()) })
		time.Sleep(overloadPause / 2)
		if n := source.refused.Load(); n != 1 {
			t.Fatalf("the session has tried %d times to wait, want once", n)
		}
		source.final.Store(true)
		process.Stall()
		synctest.Wait()
		one.mu.Lock()
		sent := len(one.out)
		one.mu.Unlock()
		if sent == 0 {
			t.Error("the session has sent nothing after the change, want a packet at once")
		}
		one.close()
		runs.Wait()
	})
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
