package registry

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// A slow watcher is woken once for many changes, and finds the latest answer.
func TestChangesCoalesce(t *testing.T) {
	r := New(clock.New(), 0)
	sub := r.Subscribe([]byte("epg-liveness"))
	defer sub.Close()
	epg := open(t, r, "epg", "a")
	for range 10 {
		epg.pass()
		epg.session.Disconnect()
	}
	epg.pass()
	if !received(sub.Changed()) {
		t.Fatal("the watcher was not woken")
	}
	if a := lookup(r, "epg-liveness"); a.Status != judge.Serving {
		t.Errorf("got %v, want %v", a.Status, judge.Serving)
	}
	if received(sub.Changed()) {
		t.Error("the watcher was woken twice for the same changes")
	}
	epg.pass()
	if received(sub.Changed()) {
		t.Error("the watcher was woken by a report that changed nothing")
	}
}

func TestWokenWatcherFindsTheChange(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		for _, name := range []string{"epg", ""} {
			sub := r.Subscribe([]byte(name))
			go func() {
				defer sub.Close()
				var changes uint32
				for range 100 {
					<-sub.Changed()
					a := lookup(r, name)
					if a.Changes == changes {
						t.Errorf("%q: got %d changes when woken, want more", name, changes)
					}
					changes = a.Changes
				}
			}()
		}
		epg := open(t, r, "epg", "a")
		for i := range 100 {
			if i%2 == 0 {
				epg.pass()
			} else {
				epg.session.Disconnect()
			}
			synctest.Wait()
		}
	})
}

func TestClosedSubscriptionIsNotWoken(t *testing.T) {
	r := New(clock.New(), 0)
	closed, other := r.Subscribe([]byte("epg")), r.Subscribe([]byte("epg"))
	closed.Close()
	open(t, r, "epg", "a").pass()
	if received(closed.Changed()) {
		t.Error("the closed subscription was woken")
	}
	if !received(other.Changed()) {
		t.Error("the other subscription was not woken")
	}
	other.Close()
	other.Close() // may be called again
	if n := len(r.subscriptions.byService); n != 0 {
		t.Errorf("got subscriptions to %d names, want 0", n)
	}
}

// A watcher without a goroutine is called at each change of its service, until it closes
// the subscription.
func TestSubscribedFuncIsCalled(t *testing.T) {
	r := New(clock.New(), 0)
	calls := 0
	sub := r.SubscribeFunc([]byte("epg-liveness"), func() { calls++ })
	epg := open(t, r, "epg", "a")
	epg.pass()
	open(t, r, "vod", "a").pass()
	if calls != 1 {
		t.Errorf("got %d calls, want 1", calls)
	}
	epg.session.Disconnect()
	if calls != 2 {
		t.Errorf("got %d calls after another change, want 2", calls)
	}
	sub.Close()
	epg.pass()
	if calls != 2 {
		t.Errorf("got %d calls after Close, want 2", calls)
	}
}

// Watchers are woken in the order in which they came, so that those of one connection are
// woken together.
func TestWatchersAreWokenInOrder(t *testing.T) {
	r := New(clock.New(), 0)
	var got, want []int
	for i := range 100 {
		sub := r.SubscribeFunc([]byte("epg"), func() { got = append(got, i) })
		if i%3 == 0 {
			sub.Close()
			sub.Close()
			continue
		}
		defer sub.Close()
		want = append(want, i)
	}
	r.subscriptions.wake("epg")
	if !slices.Equal(got, want) {
		t.Errorf("woken: %v, want %v", got, want)
	}
}
