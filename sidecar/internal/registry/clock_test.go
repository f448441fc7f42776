package registry

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/sidecar/internal/judge"
)

func TestClockKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock()
		defer run(c)()
		for _, d := range []time.Duration{1, 24 * time.Millisecond, time.Millisecond, time.Second, time.Hour} {
			before := c.Now()
			time.Sleep(d)
			if went := c.Now().Sub(before); went != d {
				t.Errorf("after %v the clock went on by %v", d, went)
			}
		}
	})
}

// TestClockSleepsThroughAPause stops the sidecar for an hour. The clock may
// have gone on by maxGap at most when it runs again, and stands still while
// the intake reads what lay in its sockets.
func TestClockSleepsThroughAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock()
		stop := run(c)
		time.Sleep(10 * beat)
		stop()
		before := c.Now()
		time.Sleep(time.Hour)
		if went := c.Now().Sub(before); went > maxGap {
			t.Errorf("it counts %v of a pause of an hour, allowed %v", went, maxGap)
		}

		defer run(c)()
		time.Sleep(beat) // the first beat, which finds the pause
		synctest.Wait()
		awake := c.Now()
		if went := awake.Sub(before); went > maxGap {
			t.Errorf("it counts %v of a pause of an hour, allowed %v", went, maxGap)
		}
		time.Sleep(settle)
		if went := c.Now().Sub(awake); went != 0 {
			t.Errorf("it went on by %v within %v of a pause", went, settle)
		}
		time.Sleep(time.Second)
		if went := c.Now().Sub(awake); went != time.Second {
			t.Errorf("it went on by %v in the second after", went)
		}
	})
}

// TestPauseMakesNobodyStale plays the same with an agent whose reports lie in
// the socket meanwhile.
func TestPauseMakesNobodyStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock()
		stop := run(c)
		r := New(c, 0)
		epg := open(t, r, "epg", "a")
		epg.pass()
		news := r.Watch([]byte("epg"))
		defer news.Close()
		live(time.Second, epg)
		stop()
		time.Sleep(time.Hour)
		defer run(c)()
		time.Sleep(settle) // the intake is slow to read its sockets
		if a := look(r, "epg"); a.Status != judge.Serving {
			t.Errorf("after a pause of the sidecar epg is %v: %s", a.Status, a.Reason())
		}
		live(time.Second, epg)
		select {
		case <-news.News():
			t.Error("the pause was news")
		default:
		}

		// But a program that froze meanwhile is found.
		time.Sleep(judge.DefaultPolicy.StaleAfter + 1)
		if a := look(r, "epg"); a.Cause != judge.Stale {
			t.Errorf("silent since it is %v, %q", a.Status, a.Cause)
		}
	})
}

// TestStarvedClockAdvances stops the sidecar for most of the time: it must
// find a frozen program all the same.
func TestStarvedClockAdvances(t *testing.T) {
	for _, gap := range []time.Duration{40 * time.Millisecond, 200 * time.Millisecond, pause + 1, time.Second} {
		var r reading
		var real time.Duration
		const beats = 1000
		for range beats {
			real += gap
			r = *r.next(real)
		}
		// Of two gaps beyond pause one may be needed to settle, and another
		// to tell that it is over.
		if low, high := beats*min(gap, maxGap)/3, beats*min(gap, maxGap); r.awake < judge.Instant(low) || r.awake > judge.Instant(high) {
			t.Errorf("with gaps of %v it went on by %v, want %v to %v", gap, time.Duration(r.awake), low, high)
		}
	}
}

// TestClockNeverGoesBack reads it at every millisecond of a life with pauses,
// by the reading of the time and by the one before.
func TestClockNeverGoesBack(t *testing.T) {
	var r reading
	var last judge.Instant
	read := func(r *reading, real time.Duration) {
		now := r.at(real)
		if now < last {
			t.Fatalf("at %v it says %d, after %d", real, now, last)
		}
		last = now
	}
	var real time.Duration
	for _, gap := range []time.Duration{25, 26, 49, 50, 51, 100, 249, 250, 251, 25, 300, 25, 25, 25, 25, 25, 1000, 1000, 1000, 90, 25, 25} {
		for range gap {
			real += time.Millisecond
			read(&r, real)
		}
		r = *r.next(real)
		read(&r, real)
	}
}
