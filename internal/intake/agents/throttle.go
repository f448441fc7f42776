package agents

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/hostclock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// throttle holds a stream to its limits, and dates its reports.
type throttle struct {
	clock   *clock.Clock
	host    hostclock.Clock // of this process; the zero one if the agent has another
	reports *bucket
	work    *bucket // of the user
	user    *user   // nil in tests without a connection

	throttled      atomic.Bool   // more has come than may be taken, and may still be unread
	throttledSince judge.Instant // throttledSince when it is held
}

// newThrottle returns the pace of a stream over the connection, nil in tests without
// one, whose agent has the clock of the given name.
func newThrottle(clock *clock.Clock, conn *connection, host hostclock.Clock, name string) *throttle {
	p := &throttle{clock: clock, reports: newBucket(reportsPerSecond, reportsBurst)}
	if conn != nil {
		p.work, p.user = conn.user.work, conn.user
	}
	if host.Is(name) {
		p.host = host
	}
	return p
}

// handle takes a message of so many reports, and so much work, and waits until the
// next may be read, or ctx is done.
func (p *throttle) wait(ctx context.Context, reports, work int) {
	now := time.Now()
	own, shared := p.reports.take(reports, now), p.work.take(work, now)
	wait := max(own, shared)
	if wait == 0 {
		if p.throttled.Load() && p.reports.idle(now) && p.work.idle(now) {
			p.throttled.Store(false)
		}
		return
	}
	if !p.throttled.Load() {
		_, p.throttledSince = p.clock.Read()
		p.throttled.Store(true)
		p.user.logSlowed(own > 0, now)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// reportTime returns when a report was made that has just come, by the registry's
// clock. If the agent does not say so by a clock that is known, the report may
// have waited for as long as the stream is held.
func (p *throttle) reportTime(readAt uint64) judge.Instant {
	_, real := p.clock.Read() // first: if landmarkd is stopped now, the report is older, not younger
	now := p.host.Now()
	switch {
	case readAt > 0 && now > 0:
		if readAt >= now {
			return real
		}
		return real.Add(-time.Duration(min(now-readAt, uint64(maxAge/time.Microsecond))) * time.Microsecond)
	case p.throttled.Load():
		return p.throttledSince
	}
	return registry.Undated
}
