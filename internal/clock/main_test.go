package clock

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/judge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs the clock until the returned function is called. Between that and the
// next run the sidecar is paused.
func run(c *Clock, caughtUp func() bool) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx, caughtUp) })
	return func() {
		cancel()
		running.Wait()
	}
}

// pausedForAnHour returns a clock with a source, at the end of a pause of an hour, and
// the judged instant at its beginning.
func pausedForAnHour() (c *Clock, before judge.Instant) {
	c = New()
	c.AddSource()
	pause := run(c, always)
	time.Sleep(10 * Beat)
	pause()
	before = c.Judged()
	time.Sleep(time.Hour)
	return c, before
}

// always is a caughtUp of an intake that has always read everything.
func always() bool { return true }

// awaitCaughtUp waits until the clock is not behind.
func awaitCaughtUp(c *Clock) {
	for {
		next := c.NextBeat()
		if judged, real := c.Read(); judged == real {
			return
		}
		<-next
	}
}

// checkNotCounted fails the test if the clock has counted more than MaxGap of the
// pause that came after before.
func checkNotCounted(t *testing.T, when string, c *Clock, before judge.Instant) {
	t.Helper()
	if counted := c.Judged().Sub(before); counted > MaxGap {
		t.Errorf("%s: got %v counted of the pause, want at most %v", when, counted, MaxGap)
	}
}

// checkCounted fails the test unless the clock has counted the pause, which came
// after before.
func checkCounted(t *testing.T, when string, c *Clock, before judge.Instant, pause time.Duration) {
	t.Helper()
	if counted := c.Judged().Sub(before); counted < pause {
		t.Errorf("%s: got %v counted of the pause, want %v", when, counted, pause)
	}
}

// checkNotBehind fails the test if the judged instant is not the real one.
func checkNotBehind(t *testing.T, when string, c *Clock) {
	t.Helper()
	if judged, real := c.Read(); judged != real {
		t.Errorf("%s: the clock is %v behind, want 0", when, real.Sub(judged))
	}
}
