package agents

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/hostclock"
	"github.com/landmark-health/landmark/internal/registry"
)

// The throttle does not delay an agent that changes all the time and answers the most
// get-state commands, nor the reports that waited during a pause of landmarkd. It
// reads a flood at the rate.
func TestFloodOfReportsIsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newThrottle(clock.New(), nil, hostclock.Clock{}, "")
		began := time.Now()
		for range 60 * 100 {
			time.Sleep(10 * time.Millisecond)
			p.wait(t.Context(), 2+1, 3) // two changes and an answer
		}
		if took := time.Since(began); took != time.Minute || p.throttled.Load() {
			t.Errorf("a minute's changes and answers took %v", took)
		}
		began = time.Now()
		for range 3700 {
			p.wait(t.Context(), 1, 1)
		}
		if took := time.Since(began); took > 0 || p.throttled.Load() {
			t.Errorf("reading what waited during a pause took %v", took)
		}
		time.Sleep(time.Minute)
		began = time.Now()
		for range reportsBurst + 8*reportsPerSecond {
			p.wait(t.Context(), 1, 1)
		}
		if took := time.Since(began); took < 8*time.Second || !p.throttled.Load() {
			t.Errorf("reading eight seconds of a flood took %v", took)
		}
		_, now := p.clock.Read()
		if at := p.reportTime(0); at == registry.Undated || now.Sub(at) < 7*time.Second {
			t.Errorf("at %[2]v an undated report of a flood has the time %[1]v", at, now)
		}
		for range 3 * reportsPerSecond { // on a busy machine
			began = time.Now()
			p.wait(t.Context(), 1, 1)
			if time.Since(began) > 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		_, now = p.clock.Read()
		if at := p.reportTime(0); at == registry.Undated || now.Sub(at) < 10*time.Second {
			t.Errorf("at %[2]v an undated report that is read late has the time %[1]v", at, now)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began = time.Now()
		p.wait(ctx, 100*reportsPerSecond, 1)
		if took := time.Since(began); took > 0 {
			t.Errorf("a stream that has ended waited for %v", took)
		}
		time.Sleep(time.Hour)
		p.wait(t.Context(), 1, 1)
		if p.throttled.Load() || p.reportTime(0) != registry.Undated {
			t.Error("an hour after the flood the stream is still throttled")
		}
	})
}

// A throttled stream that falls silent counts as read once it is, and not only with its
// next message. A report that has no date is then as old as its arrival.
func TestThrottleEndsOnceAllIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, allRead := newThrottle(clock.New(), nil, hostclock.Clock{}, ""), false
		p.allRead = func() bool { return allRead }
		p.wait(t.Context(), reportsBurst+1, 1)
		if !p.throttled.Load() {
			t.Error("more is unread, and the stream is not throttled")
		}
		allRead = true
		p.wait(t.Context(), 1, 1)
		if p.throttled.Load() || p.reportTime(0) != registry.Undated {
			t.Error("all is read, and the stream is throttled")
		}
		allRead = false
		p.wait(t.Context(), 1, 1)
		if !p.throttled.Load() {
			t.Error("more is unread again, and the stream is not throttled")
		}
		time.Sleep(time.Second / reportsPerSecond)
		allRead = true
		p.wait(t.Context(), 0, 1)
		if p.throttled.Load() {
			t.Error("all is read after a message that need not wait, and the stream is throttled")
		}
	})
}

// All connections of a user share one limit on work. Another user has its own, and
// root has none.
func TestWorkIsLimitedByUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flooder, other, root := newUser(1000, slog.New(slog.DiscardHandler)), newUser(1001, slog.New(slog.DiscardHandler)), newUser(0, slog.New(slog.DiscardHandler))
		now := time.Now()
		var wait time.Duration
		for range workBurst + 2*workPerSecond {
			wait = flooder.work.take(1, now)
		}
		if wait < 1900*time.Millisecond || wait > 2100*time.Millisecond {
			t.Errorf("two seconds of work beyond the burst waits for %v", wait)
		}
		if wait := other.work.take(1, now); wait > 0 {
			t.Errorf("another user waits for %v", wait)
		}
		if wait := root.work.take(math.MaxInt32, now); wait > 0 {
			t.Errorf("root waits for %v", wait)
		}
	})
}

// A report by this host's clock has the time that it says, but not one in the future.
// A report by another clock has none.
func TestReportTime(t *testing.T) {
	clock, own := clock.New(), hostclock.Own()
	p := newThrottle(clock, nil, own, own.Name())
	for _, age := range []time.Duration{0, time.Second, time.Duration(own.Now()/2) * time.Microsecond} {
		readAt := own.Now() - uint64(age/time.Microsecond)
		at := p.reportTime(readAt)
		if _, now := clock.Read(); now.Sub(at) < age || now.Sub(at) > age+10*time.Second {
			t.Errorf("a report that is %v old has the age %v", age, now.Sub(at))
		}
	}
	_, before := clock.Read()
	if at := p.reportTime(math.MaxUint64); at < before || at == registry.Undated {
		t.Errorf("at %[2]v a report of the future has the time %[1]v", at, before)
	}
	if at := p.reportTime(0); at != registry.Undated {
		t.Errorf("a report without a time has the time %v", at)
	}
	if at := newThrottle(clock, nil, own, "another").reportTime(own.Now()); at != registry.Undated {
		t.Errorf("a report by another clock has the time %v", at)
	}
}

// The log says that programs are throttled, once a minute for each user: it explains
// their stale services.
func TestThrottledProgramsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		u := newUser(1000, slog.New(slog.NewTextHandler(&log, nil)))
		var throttles []*throttle
		for range 3 {
			p := newThrottle(clock.New(), nil, hostclock.Clock{}, "")
			p.user, p.work = u, u.work
			throttles = append(throttles, p)
		}
		for _, p := range throttles {
			p.wait(t.Context(), 1, 1)
		}
		if log.Len() > 0 {
			t.Errorf("within the limits the log is %q", &log)
		}
		for _, p := range throttles {
			p.wait(t.Context(), reportsBurst+1, 1)
		}
		if lines := log.String(); strings.Count(lines, "\n") != 1 || !strings.Contains(lines, `uid=1000 limit_of="one program"`) {
			t.Errorf("the log is %q", lines)
		}
		log.Reset()
		time.Sleep(2 * time.Minute)
		throttles[0].wait(t.Context(), 1, 1) // no longer throttled
		throttles[0].wait(t.Context(), 1, workBurst+1)
		if lines := log.String(); strings.Count(lines, "\n") != 1 || !strings.Contains(lines, `limit_of="all programs of the user"`) {
			t.Errorf("the log is %q", lines)
		}
	})
}
