package agents

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/rate"
)

// Many new services of one user are created one after the other, with a rest between
// them. They do not delay another user.
func TestCreationsOfOneUserAreSerialized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sessions, each = 100, time.Millisecond
		many, other := newUser(65000, slog.New(slog.DiscardHandler)), newUser(65001, slog.New(slog.DiscardHandler))
		work := func() error { time.Sleep(each); return nil }
		began := time.Now()
		var done atomic.Int32
		for range sessions {
			go func() {
				if err := many.creation.do(t.Context(), work); err != nil {
					t.Error(err)
				}
				done.Add(1)
			}()
		}
		if err := other.creation.do(t.Context(), work); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != each {
			t.Errorf("the other user waited %v, want %v", took, each)
		}
		time.Sleep(sessions*each + (sessions-2)*rate.RestAfter(each) - time.Since(began))
		synctest.Wait()
		if n := done.Load(); n != sessions-1 {
			t.Errorf("%d sessions have created their service, want %d", n, sessions-1)
		}
		time.Sleep(rate.RestAfter(each) + each)
		synctest.Wait()
		if n := done.Load(); n != sessions {
			t.Errorf("then %d sessions have created their service, want %d", n, sessions)
		}
	})
}

// The rest after a creation is bounded. Root and landmarkd's own user have none.
func TestRestAfterACreationIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for uid, rest := range map[uint32]time.Duration{0: 0, 65000: maxRest} {
			u := newUser(uid, slog.New(slog.DiscardHandler))
			u.creation.do(t.Context(), func() error { time.Sleep(time.Second); return nil })
			began := time.Now()
			u.creation.do(t.Context(), func() error { return nil })
			if took := time.Since(began); took != rest {
				t.Errorf("uid %d: the next waits %v, want %v", uid, took, rest)
			}
		}
	})
}

// A session that ends stops waiting for the lock.
func TestEndedSessionStopsWaitingForTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUser(65000, slog.New(slog.DiscardHandler))
		free := make(chan struct{})
		go u.creation.do(t.Context(), func() error { <-free; return nil })
		synctest.Wait()
		ctx, end := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- u.creation.do(ctx, func() error { return errors.New("called") }) }()
		synctest.Wait()
		end()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		close(free)
	})
}
