package lmp

import (
	"context"
	"math"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// busySource is an awaitFinalSource in which so many waits find no place. It counts the
// lookups.
type busySource struct {
	awaitFinalSource
	lookups atomic.Int32
	busy    atomic.Int32
	refuse  chan struct{} // they wait until it is closed, nil = not at all
}

func (s *busySource) Lookup(name []byte, maxAge time.Duration) (registry.Answer, bool) {
	s.lookups.Add(1)
	return s.awaitFinalSource.Lookup(name, maxAge)
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

// A WATCH that finds no place to wait in is not closed: it tries again.
func TestWatchTriesAgainForASlot(t *testing.T) {
	withBusySource(t, 2, func(f *fixture, _ *busySource, end func()) {
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

// Of those who watch one name, a client without a place makes none of the others wait.
func TestWatchWaitsInTheSlotOfAnotherClient(t *testing.T) {
	withBusySource(t, 1, func(f *fixture, source *busySource, end func()) {
		source.refuse = make(chan struct{})
		all := f.openWatches(3, 3)
		all[0].wantNothing(waitAgain / 2)
		close(source.refuse)
		all[0].wantNothing(waitAgain / 2)
		end()
		for _, w := range all {
			w.want(0, lmp.StatusServing, lmp.CauseNone)
		}
	})
}

// openWatches opens so many WATCHes of "epg" for each of so many clients.
func (f *fixture) openWatches(clients, each int) []*watchClient {
	f.t.Helper()
	var all []*watchClient
	for i := range clients {
		f.from = netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
		for range each {
			all = append(all, f.openWatch("epg", time.Hour))
		}
	}
	return all
}

// However many clients have no place, each tries again only now and then, and each of its
// WATCHes looks up the answer only as often. So all of it grows with their number, and not
// with its square. Changes do not make them try more often.
func TestWatchersWithoutASlotTryNowAndThen(t *testing.T) {
	const tries = 5
	for _, n := range []struct{ clients, each int }{{1, 1}, {3, 40}, {40, 1}, {160, 1}} {
		for _, changes := range []int{0, 20} {
			withBusySource(t, math.MaxInt32, func(f *fixture, source *busySource, _ func()) {
				all := f.openWatches(n.clients, n.each)
				for i := range changes {
					facts := []registry.Fact{hung(), fact(0)}
					time.AfterFunc(time.Duration(i+1)*tries*waitAgain/time.Duration(changes+2), func() { f.process.Report(facts[i%2]) })
				}
				all[0].wantNothing(tries*waitAgain - 1)
				if got, want := source.waits.Load(), n.clients*tries; int(got) != want {
					t.Errorf("%d clients with %d watchers each, %d changes: tried %d times in %v, want %d", n.clients, n.each, changes, got, tries*waitAgain, want)
				}
				if got, want := source.lookups.Load(), len(all)*(tries+changes); int(got) != want {
					t.Errorf("%d clients with %d watchers each, %d changes: looked up %d answers in %v, want %d", n.clients, n.each, changes, got, tries*waitAgain, want)
				}
				for _, w := range all {
					w.conn.Close()
				}
			})
		}
	}
}

// A WATCH that has no place sends a change at once if its answer is final by then.
func TestWatchWithoutASlotSendsAFinalChange(t *testing.T) {
	withBusySource(t, 0, func(f *fixture, source *busySource, end func()) {
		end()
		w := f.openWatch("epg", time.Hour)
		w.want(0, lmp.StatusServing, lmp.CauseNone)
		end = source.begin()
		source.busy.Store(math.MaxInt32)
		for _, facts := range []registry.Fact{hung(), fact(0)} { // changes that are not final
			f.process.Report(facts)
			w.wantNothing(waitAgain / 4)
		}
		end()
		f.process.Report(hung())
		w.want(0, lmp.StatusNotServing, lmp.CauseStalled)
		w.end()
	})
}

// The connections of a client leave while it is tried whether it has a place. The others
// that watch the name do not wait for them.
func TestWatchersGoOnWithoutOneThatLeaves(t *testing.T) {
	withBusySource(t, 1, func(f *fixture, source *busySource, end func()) {
		source.refuse = make(chan struct{})
		all := f.openWatches(3, 2)
		closed := make(chan struct{})
		f.tcp.loop.Post(func() { // as another connection does that displaces them
			members := f.tcp.audiences["epg"].members
			for _, c := range []*conn{members[0], members[1], members[2]} {
				c.Close()
			}
			close(closed)
		})
		<-closed
		close(source.refuse)
		all[5].wantNothing(waitAgain / 2)
		end()
		for _, w := range all[3:] {
			w.want(0, lmp.StatusServing, lmp.CauseNone)
			w.end()
		}
	})
}
