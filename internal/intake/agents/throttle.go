package agents

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/hostclock"
	"github.com/landmark-health/landmark/internal/judge"
)

// throttle limits the rate of one stream, and knows since when its reports may have waited
// for that.
type throttle struct {
	clock   *clock.Clock
	host    hostclock.Clock // of this process; the zero one if the agent has another
	reports *bucket
	work    *bucket // of the user
	user    *user   // nil in tests without a connection
	// allRead reports whether nothing of the stream is unread or on its way; nil if that is
	// not known. The goroutine that receives calls it.
	allRead func() bool

	throttled      atomic.Bool   // more arrives than may be read, and some may be unread
	throttledSince judge.Instant // valid while throttled
}

// newThrottle returns the throttle of a stream over the connection, which is nil in
// some tests. clockName is the name of the agent's clock.
func newThrottle(clock *clock.Clock, conn *connection, host hostclock.Clock, clockName string) *throttle {
	t := &throttle{clock: clock, reports: newBucket(reportsPerSecond, reportsBurst)}
	if conn != nil {
		t.work, t.user = conn.user.work, conn.user
	}
	if host.Is(clockName) {
		t.host = host
	}
	return t
}

// wait counts a message with the given numbers of reports and units of work. It
// waits until the next message may be read, or ctx is done.
func (t *throttle) wait(ctx context.Context, reports, work int) {
	now := time.Now()
	own, shared := t.reports.take(reports, now), t.work.take(work, now)
	wait := max(own, shared)
	if wait > 0 {
		if !t.throttled.Load() {
			_, t.throttledSince = t.clock.Read()
			t.throttled.Store(true)
			t.user.logSlowed(own > 0, now)
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	switch {
	case !t.throttled.Load():
	case wait == 0 && t.reports.idle(now) && t.work.idle(now), t.allRead != nil && t.allRead():
		t.throttled.Store(false)
	}
}
