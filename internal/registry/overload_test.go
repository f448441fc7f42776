package registry

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// waiting returns how many checkers wait.
func waiting(r *Registry) int { return r.waiters.known.Taken() + r.waiters.unknown.Taken() }

// overload takes all places for checkers that wait for known services.
func overload(r *Registry) {
	for client := range maxWaiting {
		r.waiters.known.Take(client)
	}
}

// The places for unknown names are taken. One more checker gets no answer, rather
// than one that may be wrong. Checkers of a known service, and of all, have places of
// their own.
func TestUnknownNamesHaveTheirOwnPlaces(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, r *Registry) {
		var checkers sync.WaitGroup
		var answered atomic.Int32
		for i := range maxWaitingUnknown {
			checkers.Go(func() {
				if _, err := r.Await(WithClient(t.Context(), i), fmt.Appendf(nil, "epg%d", i%7), 0); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
				answered.Add(1)
			})
		}
		synctest.Wait()
		if n := answered.Load(); n != 0 {
			t.Fatalf("within the start grace: got %d answers, want 0", n)
		}
		began := time.Now()
		if a, err := r.Await(t.Context(), []byte("epg"), 0); !errors.Is(err, ErrOverloaded) || a.Status != judge.Unknown {
			t.Errorf("one checker more: got %v, %v; want no answer, %v", a.Status, err, ErrOverloaded)
		}
		open(t, r, "known", "a").pass()
		check(t, "a known service", await(t, r, "known", 0), judge.None)
		checkers.Go(func() { await(t, r, "", 0) })
		synctest.Wait()
		if n := r.waiters.known.Taken(); n != 1 {
			t.Errorf("got %d checkers waiting for all services, want 1", n)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("the answers took %v, want 0", d)
		}
		checkers.Wait()
		if d := time.Since(began); d != time.Second {
			t.Errorf("the other checkers waited for %v, want 1s", d)
		}
		if n := waiting(r); n != 0 {
			t.Errorf("got %d waiting checkers, want 0", n)
		}
		if n := len(r.subscriptions.byService); n != 0 {
			t.Errorf("got subscriptions to %d names, want 0", n)
		}
	})
}

// A checker that finds no free slot after a pause gets no answer: the program may
// have died in the pause.
func TestOverloadAfterAPauseGivesNoServingAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, pause := runWithSource()
		open(t, r, "epg", "a").pass()
		pause()
		time.Sleep(time.Hour) // in which the program dies
		defer run(r.clock)()
		overload(r)
		for _, name := range []string{"epg", "epg-liveness", ""} {
			if a, err := r.Await(t.Context(), []byte(name), 0); !errors.Is(err, ErrOverloaded) || a.Status == judge.Serving {
				t.Errorf("%q behind a pause: got %v, %v; want no answer, %v", name, a.Status, err, ErrOverloaded)
			}
		}
		time.Sleep(clock.MaxBehind + 2*clock.Beat)
		check(t, "caught up", await(t, r, "epg", 0), judge.Stale)
	})
}

// The same holds of all services in the start grace: some may still come back.
func TestOverloadInTheGraceGivesNoServingAnswer(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, r *Registry) {
		overload(r)
		epg := open(t, r, "epg", "a")
		epg.pass()
		if a, err := r.Await(t.Context(), nil, 0); !errors.Is(err, ErrOverloaded) || a.Status == judge.Serving {
			t.Errorf("all services in the start grace: got %v, %v; want no answer, %v", a.Status, err, ErrOverloaded)
		}
		time.Sleep(time.Second)
		epg.pass()
		check(t, "all services after the grace", await(t, r, "", 0), judge.None)
	})
}

// One client whose requests wait takes no slot from others: each finds one.
func TestOneClientLeavesSlotsToOthers(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, r *Registry) {
		var checkers sync.WaitGroup
		var refused atomic.Int32
		for range maxWaiting {
			checkers.Go(func() {
				if _, err := r.Await(WithClient(t.Context(), "one"), nil, 0); errors.Is(err, ErrOverloaded) {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		if n := refused.Load(); n != maxWaiting/2 {
			t.Errorf("%d requests of one client are refused, want %d", n, maxWaiting/2)
		}
		for i := range 100 {
			checkers.Go(func() {
				if _, err := r.Await(WithClient(t.Context(), i), nil, 0); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
			})
		}
		checkers.Wait()
		if n := waiting(r); n != 0 {
			t.Errorf("got %d waiting checkers, want 0", n)
		}
	})
}
