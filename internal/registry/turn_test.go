package registry

import (
	"sync"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
)

// A turn changes no answer that time has not changed.
func TestTurnChangesNothing(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		a := open(t, r, "epg", "a")
		a.pass()
		r.Turn()
		for _, name := range []string{"epg", ""} {
			before, _ := r.Lookup([]byte(name), AnyAge)
			for range 3 {
				r.Turn()
			}
			after, _ := r.Lookup([]byte(name), AnyAge)
			if before.Status != after.Status || before.Cause != after.Cause || before.Changes != after.Changes {
				t.Errorf("%q: got %v after the turns, want %v", name, after, before)
			}
		}
		a.session.Goodbye()
	})
}

// A service whose lock is held can evaluate nothing.
func TestNoTurnWhileAServiceHangs(t *testing.T) {
	r := New(clock.New(), 0)
	for _, name := range []string{"a", "b", "c"} {
		open(t, r, name, name).pass()
	}
	for _, lock := range []sync.Locker{&r.service("b").mu, &r.mu} {
		turned := make(chan struct{})
		lock.Lock()
		go func() { r.Turn(); close(turned) }()
		select {
		case <-turned:
			t.Error("the registry has turned although a lock is held")
		case <-time.After(50 * time.Millisecond):
		}
		lock.Unlock()
		<-turned
	}
}
