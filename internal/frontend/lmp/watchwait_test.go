package lmp

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// provisionalSource is a source whose answers are provisional until the channel
// is closed.
type provisionalSource struct {
	frontend.Source
	until atomic.Pointer[chan struct{}]
}

// begin makes the answers provisional, until end is called.
func (s *provisionalSource) begin() (end func()) {
	until := make(chan struct{})
	s.until.Store(&until)
	return func() { close(until) }
}

func (s *provisionalSource) Lookup(name []byte, maxAge time.Duration) (registry.Answer, bool) {
	a, final := s.Source.Lookup(name, maxAge)
	select {
	case <-*s.until.Load():
		return a, final
	default:
		return a, false
	}
}

func (s *provisionalSource) Await(ctx context.Context, name []byte, maxAge time.Duration) (registry.Answer, error) {
	select {
	case <-*s.until.Load():
		return s.Source.Await(ctx, name, maxAge)
	case <-ctx.Done():
		return registry.Answer{}, ctx.Err()
	}
}

// A WATCH sends no provisional answer: not at first, not after a change and not
// when a keep-alive is due.
func TestWatchWaitsForFinalAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		source := &provisionalSource{Source: f.config.Source}
		f.config.Source = source
		end := source.begin()
		w := f.openWatch("epg", 0)
		w.wantNothing(900 * time.Millisecond)
		end()
		w.want(0, lmp.StatusServing, lmp.CauseNone)

		end = source.begin()
		f.process.Report(hung())
		w.wantNothing(3 * time.Second)
		f.process.Session.Disconnect()
		end()
		w.want(0, lmp.StatusNotServing, lmp.CauseLost)

		source.begin()
		w.wantNothing(3 * time.Second)
		f.stop() // while the WATCH waits
		f.wantClosedAfter(w.done, 0)
	})
}

// awaitFinalSource is a provisionalSource that counts the waits and, if asked to, holds the
// lookup after a wait.
type awaitFinalSource struct {
	provisionalSource
	waits  atomic.Int32
	held   atomic.Pointer[chan struct{}] // until then the lookup is held, nil = it is not
	awaits atomic.Bool                   // an Await has returned, and its lookup follows
}

func (s *awaitFinalSource) Await(ctx context.Context, name []byte, maxAge time.Duration) (registry.Answer, error) {
	s.waits.Add(1)
	a, err := s.provisionalSource.Await(ctx, name, maxAge)
	s.awaits.Store(true)
	return a, err
}

func (s *awaitFinalSource) Lookup(name []byte, maxAge time.Duration) (registry.Answer, bool) {
	a, final := s.provisionalSource.Lookup(name, maxAge)
	if held := s.held.Load(); held != nil && s.awaits.Swap(false) {
		<-*held
	}
	return a, final
}

// Connections that watch one name wait together for its final answer.
func TestWatchersOfOneNameShareAWait(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		source := &awaitFinalSource{provisionalSource: provisionalSource{Source: f.config.Source}}
		f.config.Source = source
		end := source.begin()
		var all []*watchClient
		for range 100 {
			all = append(all, f.openWatch("epg", time.Hour))
		}
		all[0].wantNothing(time.Second)
		end()
		for _, w := range all {
			w.want(0, lmp.StatusServing, lmp.CauseNone)
		}
		if n := source.waits.Load(); n != 1 {
			t.Errorf("%d waits, want 1", n)
		}
		for _, w := range all {
			w.end()
		}
	})
}

// A wait has ended, and then memory becomes uncertain again, before the watchers are told.
// Those who waited get that answer, unless something is known to have changed since. One who
// has come after it was looked up does not get it.
func TestWatcherGetsNoAnswerFromBeforeItsRequest(t *testing.T) {
	for _, changes := range []bool{false, true} {
		inBubble(t, func(t *testing.T, f *fixture) {
			source := &awaitFinalSource{provisionalSource: provisionalSource{Source: f.config.Source}}
			f.config.Source = source
			hold := make(chan struct{})
			source.held.Store(&hold)
			end := source.begin()
			early := f.openWatch("epg", time.Hour)
			early.wantNothing(100 * time.Millisecond)
			end()
			synctest.Wait() // the answer is looked up, and held
			end = source.begin()
			if changes {
				f.process.Report(hung())
			}
			late := f.openWatch("epg", time.Hour)
			late.wantNothing(100 * time.Millisecond)
			source.held.Store(nil)
			close(hold)
			if changes {
				early.wantNothing(100 * time.Millisecond)
			} else {
				early.want(0, lmp.StatusServing, lmp.CauseNone)
			}
			late.wantNothing(100 * time.Millisecond)
			end()
			if changes {
				early.want(0, lmp.StatusNotServing, lmp.CauseStalled)
				late.want(0, lmp.StatusNotServing, lmp.CauseStalled)
			} else {
				late.want(0, lmp.StatusServing, lmp.CauseNone)
			}
			early.end()
			late.end()
		})
	}
}

// After a restart a WATCH sends the answer when the service's agents have come
// back, and unknown service only after the start grace.
func TestWatchWaitsDuringStartGrace(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		r := registry.New(f.registry.Clock(), time.Second)
		f.config.Source = r
		back, gone := f.openWatch("epg", time.Hour), f.openWatch("gone", time.Hour)
		time.AfterFunc(300*time.Millisecond, func() { newProcess(t, r, "epg", loops("main"), fact(0)) })
		back.want(300*time.Millisecond, lmp.StatusServing, lmp.CauseNone)
		gone.want(700*time.Millisecond, lmp.StatusUnknownService, lmp.CauseUnknownService)
		newProcess(t, r, "gone", loops("main"), hung())
		gone.want(0, lmp.StatusNotServing, lmp.CauseStalled)
		back.end()
		gone.end()
	})
}
