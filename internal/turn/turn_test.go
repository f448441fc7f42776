package turn

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// waiter is a loop that waits until its deadline.
type waiter struct {
	*Loop
	mu       sync.Mutex
	deadline bool
	changed  chan struct{}
	closed   error
}

func newWaiter() *waiter { return &waiter{Loop: New(), changed: make(chan struct{}, 1)} }

func (w *waiter) setDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = !t.IsZero()
	give(w.changed)
	return w.closed
}

// turn waits for the deadline, and turns.
func (w *waiter) turn() {
	for range w.changed {
		w.mu.Lock()
		due := w.deadline
		w.mu.Unlock()
		if due {
			w.Turned(w.setDeadline)
			return
		}
	}
}

func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter()
		for range 3 {
			go w.turn()
			if err := w.Turn(t.Context(), w.setDeadline); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if w.deadline {
				t.Error("the deadline stays, so the loop does not wait again")
			}
		}
	})
}

// A loop that turns too late for one call has not turned for the next.
func TestLateTurnDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter()
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			if err := w.Turn(ctx, w.setDeadline); err != context.DeadlineExceeded {
				t.Errorf("a loop that hangs: got %v, want %v", err, context.DeadlineExceeded)
			}
			cancel()
			w.turn()
		}
	})
}

// Another that resets the deadline does not keep the loop from turning.
func TestResetDeadlineIsSetAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter()
		turned := make(chan error)
		go func() { turned <- w.Turn(t.Context(), w.setDeadline) }()
		synctest.Wait()
		w.setDeadline(time.Time{})
		w.turn()
		if err := <-turned; err != nil {
			t.Error(err)
		}
	})
}

// A loop that waits for something else answers by itself.
func TestWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter()
		for range 2 {
			go func() { <-w.Wanted(); w.Answer() }()
			if err := w.Turn(t.Context(), w.setDeadline); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-w.Wanted():
			t.Error("it is wanted, although no call waits")
		default:
		}
	})
}

func TestTurnOfAClosedSocketFails(t *testing.T) {
	w := newWaiter()
	w.closed = errors.New("closed")
	if err := w.Turn(t.Context(), w.setDeadline); err != w.closed {
		t.Errorf("got %v, want %v", err, w.closed)
	}
}
