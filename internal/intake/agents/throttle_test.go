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

// An agent never waits that changes all the time and answers to as many
// get-state commands as there may be, nor do the reports that waited during a
// pause of landmarkd's. One that floods is read at the rate.
func TestReportsAreHeldToARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newThrottle(clock.New(), nil, hostclock.Clock{}, "")
		begun := time.Now()
		for range 60 * 100 {
			time.Sleep(10 * time.Millisecond)
			p.wait(t.Context(), 2+1, 3) // two changes and an answer
		}
		if took := time.Since(begun); took != time.Minute || p.throttled.Load() {
			t.Errorf("a minute's changes and answers took %v", took)
		}
		begun = time.Now()
		for range 3700 {
			p.wait(t.Context(), 1, 1)
		}
		if took := time.Since(begun); took > 0 || p.throttled.Load() {
			t.Errorf("what waited during a pause was taken in %v", took)
		}
		time.Sleep(time.Minute)
		begun = time.Now()
		for range reportsBurst + 8*reportsPerSecond {
			p.wait(t.Context(), 1, 1)
		}
		if took := time.Since(begun); took < 8*time.Second || !p.throttled.Load() {
			t.Errorf("a flood of eight seconds' reports was taken in %v", took)
		}
		_, now := p.clock.Read()
		if at := p.reportTime(0); at == registry.Undated || now.Sub(at) < 7*time.Second {
			t.Errorf("an undated report of a flood is taken for one of %v, at %v", at, now)
		}
		for range 3 * reportsPerSecond { // on a busy machine
			begun = time.Now()
			p.wait(t.Context(), 1, 1)
			if time.Since(begun) > 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		_, now = p.clock.Read()
		if at := p.reportTime(0); at == registry.Undated || now.Sub(at) < 10*time.Second {
			t.Errorf("because it is taken late, an undated report of a flood is taken for one of %v, at %v", at, now)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begun = time.Now()
		p.wait(ctx, 100*reportsPerSecond, 1)
		if took := time.Since(begun); took > 0 {
			t.Errorf("a stream that had ended waited for %v", took)
		}
		time.Sleep(time.Hour)
		p.wait(t.Context(), 1, 1)
		if p.throttled.Load() || p.reportTime(0) != registry.Undated {
			t.Error("an hour after the flood the stream is still held")
		}
	})
}

// All connections of a user share what they may make landmarkd do, in turn.
// Another user's have a share of their own, and root has no limit.
func TestUsersShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flooder, other, root := newUser(1000, slog.New(slog.DiscardHandler)), newUser(1001, slog.New(slog.DiscardHandler)), newUser(0, slog.New(slog.DiscardHandler))
		now := time.Now()
		var wait time.Duration
		for range workBurst + 2*workPerSecond {
			wait = flooder.work.take(1, now)
		}
		if wait < 1900*time.Millisecond || wait > 2100*time.Millisecond {
			t.Errorf("two seconds' work over what is allowed waits for %v", wait)
		}
		if wait := other.work.take(1, now); wait > 0 {
			t.Errorf("another user waits for %v", wait)
		}
		if wait := root.work.take(math.MaxInt32, now); wait > 0 {
			t.Errorf("root waits for %v", wait)
		}
	})
}

// A report is as old as it says if its clock is this process's, and never of the
// future; by another clock it has no date.
func TestReportsAreDated(t *testing.T) {
	clock, own := clock.New(), hostclock.Own()
	p := newThrottle(clock, nil, own, own.Name())
	for _, age := range []time.Duration{0, time.Second, time.Duration(own.Now()/2) * time.Microsecond} {
		readAt := own.Now() - uint64(age/time.Microsecond)
		at := p.reportTime(readAt)
		if _, now := clock.Read(); now.Sub(at) < age || now.Sub(at) > age+10*time.Second {
			t.Errorf("a report that is %v old is taken for %v", age, now.Sub(at))
		}
	}
	_, before := clock.Read()
	if at := p.reportTime(math.MaxUint64); at < before || at == registry.Undated {
		t.Errorf("a report of the future is of %v, now being %v", at, before)
	}
	if at := p.reportTime(0); at != registry.Undated {
		t.Errorf("a report without a date is of %v", at)
	}
	if at := newThrottle(clock, nil, own, "another").reportTime(own.Now()); at != registry.Undated {
		t.Errorf("a report by another clock is of %v", at)
	}
}

// Who is paged for a stale service finds in the log why: once a minute, however
// many programs are slowed.
func TestSlowedProgramsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		u := newUser(1000, slog.New(slog.NewTextHandler(&log, nil)))
		var paces []*throttle
		for range 3 {
			p := newThrottle(clock.New(), nil, hostclock.Clock{}, "")
			p.user, p.work = u, u.work
			paces = append(paces, p)
		}
		for _, p := range paces {
			p.wait(t.Context(), 1, 1)
		}
		if log.Len() > 0 {
			t.Errorf("within the limits it is logged: %s", &log)
		}
		for _, p := range paces {
			p.wait(t.Context(), reportsBurst+1, 1)
		}
		if lines := log.String(); strings.Count(lines, "\n") != 1 || !strings.Contains(lines, `uid=1000 limit_of="one program"`) {
			t.Errorf("logged is %q", lines)
		}
		log.Reset()
		time.Sleep(2 * time.Minute)
		paces[0].wait(t.Context(), 1, 1) // it is not held any more
		paces[0].wait(t.Context(), 1, workBurst+1)
		if lines := log.String(); strings.Count(lines, "\n") != 1 || !strings.Contains(lines, `limit_of="all programs of the user"`) {
			t.Errorf("logged is %q", lines)
		}
	})
}
