package registry

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inBubble runs f under fake time, with a registry whose clock goes on.
func inBubble(t *testing.T, startGrace time.Duration, f func(t *testing.T, r *Registry)) {
	synctest.Test(t, func(t *testing.T) {
		clock := clock.New()
		defer run(clock)()
		f(t, New(clock, startGrace))
	})
}

// run lets the clock go on until the returned function is called. Between that and
// the next run the sidecar is paused.
func run(c *clock.Clock) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx, func() bool { return true }) })
	return func() {
		cancel()
		running.Wait()
	}
}

// runWithSource returns a registry whose clock goes on and does not rest, until pause
// is called. Then run(r.clock) lets it go on.
func runWithSource() (r *Registry, pause func()) {
	c := clock.New()
	c.AddSource()
	pause = run(c)
	return New(c, 0), pause
}

// policy returns the default policy, changed by f.
func policy(f func(*Policy)) Policy {
	p := DefaultPolicy
	f(&p)
	return p
}

// lookup returns what the registry answers at once.
func lookup(r *Registry, name string) Answer {
	a, _ := r.Lookup([]byte(name), 0)
	return a
}

// await returns the final answer. It fails the test if there is none.
func await(t testing.TB, r *Registry, name string, maxAge time.Duration) Answer {
	t.Helper()
	a, err := r.Await(t.Context(), []byte(name), maxAge)
	if err != nil {
		t.Errorf("awaiting %q: %v", name, err)
	}
	return a
}

// check fails the test unless the answer has the cause, and the status that belongs
// to it: judge.None belongs to a serving one. what is what is answered about, and
// when.
func check(t testing.TB, what string, got Answer, cause judge.Cause) {
	t.Helper()
	status := judge.NotServing
	switch cause {
	case judge.None:
		status = judge.Serving
	case judge.UnknownName:
		status = judge.ServiceUnknown
	}
	if got.Status != status || got.Cause != cause {
		t.Errorf("%s: got %v, %v (%s); want %v, %v", what, got.Status, got.Cause, got.Reason(), status, cause)
	}
}

// received reports whether the channel has something to receive, and receives it.
func received[T any](c <-chan T) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
