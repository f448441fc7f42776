package registry

import (
	"testing"
	"testing/synctest"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// pending reports whether there is news, and takes it.
func pending(s *Subscription) bool {
	select {
	case <-s.Changed():
		return true
	default:
		return false
	}
}

// TestNewsCoalesce holds that a slow watcher gets the latest, not a queue.
func TestNewsCoalesce(t *testing.T) {
	r := New(clock.New(), 0)
	sub := r.Subscribe([]byte("epg-liveness"))
	defer sub.Close()
	epg := open(t, r, "epg", "a")
	for range 10 {
		epg.pass()
		epg.session.Disconnect()
	}
	epg.pass()
	if !pending(sub) {
		t.Fatal("there is no news")
	}
	if a := look(r, "epg-liveness"); a.Status != judge.Serving {
		t.Errorf("the news is %v", a.Status)
	}
	if pending(sub) {
		t.Error("there is news of what was seen already")
	}
	epg.pass()
	if pending(sub) {
		t.Error("a report that changed nothing is news")
	}
}

// TestNewsAreVisible holds that who is woken finds what it was woken for.
func TestNewsAreVisible(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		for _, name := range []string{"epg", ""} {
			sub := r.Subscribe([]byte(name))
			go func() {
				defer sub.Close()
				var changes uint32
				for range 100 {
					<-sub.Changed()
					a := look(r, name)
					if a.Changes == changes {
						t.Errorf("%q: woken for nothing after %d changes", name, changes)
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

func TestCloseEndsASubscription(t *testing.T) {
	r := New(clock.New(), 0)
	one, other := r.Subscribe([]byte("epg")), r.Subscribe([]byte("epg"))
	one.Close()
	open(t, r, "epg", "a").pass()
	if pending(one) {
		t.Error("there is news for who closed")
	}
	if !pending(other) {
		t.Error("there is none for the other")
	}
	other.Close()
	other.Close() // as often as one likes
	if n := len(r.subscriptions.byService); n != 0 {
		t.Errorf("%d names are still watched", n)
	}
}
