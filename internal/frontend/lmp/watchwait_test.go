package lmp

import (
	"context"
	"math"
	"net/netip"
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
// look-up after a wait.
type awaitFinalSource struct {
	provisionalSource
	waits  atomic.Int32
	held   atomic.Pointer[chan struct{}] // until then the look-up is held, nil = it is not
	awaits atomic.Bool                   // an Await has returned, and its look-up follows
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

// busySource is an awaitFinalSource in which so many waits find no slot.
type busySource struct {
	awaitFinalSource
	busy   atomic.Int32
	refuse chan struct{} // they wait until it is closed, nil = not at all
}

func (s *busySource) Await(ctx context.Context, name []byte, maxAge time.Duration) (registry.Answer, error) {
	if s.busy.Add(-1) >= 0 {
		if s.waits.Add(1) > 1000 {
			<-ctx.Done() // so that a loop without end fails
		}
		if s.refuse != nil {
			<-s.refuse
		}
		return registry.Answer{}, registry.ErrOverloaded
	}
	return s.awaitFinalSource.Await(ctx, name, maxAge)
}

// withBusySource runs a test with a busySource whose answers are provisional until end is
// called.
func withBusySource(t *testing.T, busy int32, test func(f *fixture, source *busySource, end func())) {
	inBubble(t, func(t *testing.T, f *fixture) {
		source := &busySource{awaitFinalSource: awaitFinalSource{provisionalSource: provisionalSource{Source: f.config.Source}}}
		f.config.Source = source
		source.busy.Store(busy)
		test(f, source, source.begin())
	})
}

// A WATCH that finds no slot to wait in is not closed: it tries again.
func TestWatchTriesAgainForASlot(t *testing.T) {
	withBusySource(t, 3, func(f *fixture, _ *busySource, end func()) {
		first, second := f.openWatch("epg", time.Hour), f.openWatch("epg", time.Hour)
		first.wantNothing(2*waitAgain + waitAgain/2)
		end()
		first.want(0, lmp.StatusServing, lmp.CauseNone)
		second.want(0, lmp.StatusServing, lmp.CauseNone)
		f.process.Report(hung())
		first.want(0, lmp.StatusNotServing, lmp.CauseStalled)
		first.end()
		second.end()
	})
}

// Of those who watch one name, a client without a slot makes none of the others wait.
func TestWatchWaitsInTheSlotOfAnotherClient(t *testing.T) {
	withBusySource(t, 1, func(f *fixture, source *busySource, end func()) {
		source.refuse = make(chan struct{})
		var all []*watchClient
		for i := range byte(9) {
			f.from = netip.AddrFrom4([4]byte{192, 0, 2, i / 3})
			all = append(all, f.openWatch("epg", time.Hour))
		}
		all[0].wantNothing(waitAgain / 2)
		close(source.refuse)
		all[0].wantNothing(waitAgain / 2)
		end()
		for _, w := range all {
			w.want(0, lmp.StatusServing, lmp.CauseNone)
		}
	})
}

// However many clients have no slot, each tries again only now and then.
func TestWatchersWithoutASlotTryNowAndThen(t *testing.T) {
	withBusySource(t, math.MaxInt32, func(f *fixture, source *busySource, _ func()) {
		var all []*watchClient
		for i := range byte(9) {
			f.from = netip.AddrFrom4([4]byte{192, 0, 2, i / 3})
			all = append(all, f.openWatch("epg", time.Hour))
		}
		const tries = 10
		all[0].wantNothing(tries*waitAgain - 1)
		if n := source.waits.Load(); n > 3*3*tries {
			t.Errorf("9 watchers of 3 clients tried %d times in %v, want %d times each", n, tries*waitAgain, tries)
		}
		for _, w := range all {
			w.conn.Close()
		}
	})
}
