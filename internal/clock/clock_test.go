package clock

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

func TestClockKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		c.AddSource()
		defer run(c, always)()
		for _, d := range []time.Duration{1, 24 * time.Millisecond, time.Millisecond, time.Second, time.Hour} {
			before := c.Judged()
			time.Sleep(d)
			judged, real := c.Read()
			if got := judged.Sub(before); got != d || judged != real {
				t.Errorf("after %v: the judged instant went on by %v and is %d; want %v, %d", d, got, judged, d, real)
			}
		}
	})
}

// The sidecar is paused for an hour. The judged instant stands still until the intake
// has read its sockets, and then counts the whole hour.
func TestClockWaitsForTheIntakeAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, before := pausedForAnHour()
		var caughtUp atomic.Bool
		defer run(c, caughtUp.Load)()
		time.Sleep(MaxBehind / 2)
		checkNotCounted(t, "sockets unread", c, before)
		began := time.Now()
		caughtUp.Store(true)
		awaitCaughtUp(c)
		if took, most := time.Since(began), 4*Recheck; took > most {
			t.Errorf("catching up took %v, want at most %v", took, most)
		}
		checkCounted(t, "sockets read", c, before, time.Hour)
	})
}

// A pause is counted, however long it takes to catch up, and beats are not.
func TestPausesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pausedForAnHour()
		if n, total := c.Pauses(); n != 0 || total != 0 {
			t.Errorf("before the first beat after it: got %d pauses of %v, want none yet", n, total)
		}
		var caughtUp atomic.Bool
		defer run(c, caughtUp.Load)()
		time.Sleep(MaxBehind / 2)
		caughtUp.Store(true)
		time.Sleep(time.Minute)
		if n, total := c.Pauses(); n != 1 || total < time.Hour || total > time.Hour+2*Beat {
			t.Errorf("got %d pauses of %v, want one of an hour", n, total)
		}
	})
}

// A pause during which the sidecar is paused again, before it has caught up, is one.
func TestPauseBeforeCatchingUpIsNoOther(t *testing.T) {
	var p pauses
	p.count(&reading{}, &reading{real: time.Second})
	p.count(&reading{real: time.Second, behind: true}, &reading{real: 3 * time.Second})
	p.count(&reading{real: 3 * time.Second, behind: true}, &reading{real: 3*time.Second + Recheck})
	p.count(&reading{real: 4 * time.Second}, &reading{real: 4*time.Second + MaxGap})
	p.count(&reading{real: 5 * time.Second, resting: true}, &reading{real: time.Hour})
	if n, total := p.number.Load(), time.Duration(p.total.Load()); n != 1 || total != 3*time.Second {
		t.Errorf("got %d pauses of %v, want one of 3 s", n, total)
	}
}

// An intake never catches up. The judged instant goes on all the same, so that a
// frozen program is found.
func TestClockWaitsForTheIntakeAtMostMaxBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		c.AddSource()
		time.Sleep(time.Hour)
		defer run(c, func() bool { return false })()
		time.Sleep(MaxBehind + 2*Beat)
		checkNotBehind(t, "MaxBehind after the pause", c)
	})
}

// Every gap between two beats is a pause. The judged instant is never behind for
// longer than MaxBehind and the time of the checks.
func TestStarvedClockIsNotBehindForLong(t *testing.T) {
	for _, gap := range []time.Duration{40 * time.Millisecond, 200 * time.Millisecond, time.Second} {
		for _, caughtUp := range []bool{true, false} {
			r := &reading{}
			var real, behind, longest time.Duration
			for range 1000 {
				real += gap
				r = r.next(real, func() bool { return caughtUp })
				if behind += gap; !r.behind {
					behind = 0
				}
				longest = max(longest, behind)
			}
			if most := MaxBehind + 3*gap; longest > most {
				t.Errorf("gaps of %v, caught up %v: the clock was behind for %v, want at most %v", gap, caughtUp, longest, most)
			}
		}
	}
}

// The clock is read at every millisecond, by the latest reading and by the one
// before it. The judged instant never goes back, and is never in the future.
func TestJudgedInstantNeverGoesBack(t *testing.T) {
	r := &reading{}
	var last judge.Instant
	check := func(r *reading, real time.Duration) {
		judged := r.at(real)
		if judged < last || judged > judge.Instant(real) {
			t.Fatalf("at %v: got %d, want %d to %d", real, judged, last, judge.Instant(real))
		}
		last = judged
	}
	var real time.Duration
	for i := range 2000 {
		gap := Beat
		switch {
		case i%100 == 50:
			gap = 700 * time.Millisecond
		case i%10 == 3:
			gap = 60 * time.Millisecond
		}
		for range gap / time.Millisecond {
			real += time.Millisecond
			check(r, real)
		}
		r = r.next(real, func() bool { return i%3 == 0 })
		check(r, real)
	}
}

// Without agents the clock takes no readings, and is never behind: nothing can be
// unread.
func TestClockWithoutSourcesRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		defer run(c, always)()
		synctest.Wait()
		resting := c.last.Load()
		if !resting.resting {
			t.Fatal("the clock does not rest")
		}
		time.Sleep(time.Hour)
		if c.last.Load() != resting {
			t.Error("the clock took a reading while it rested")
		}
		checkNotBehind(t, "after an hour of rest", c)
	})
}

// Agents come and go. The clock beats while there are any, and is never behind.
func TestClockBeatsWhileThereAreSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		defer run(c, always)()
		checkResting := func(want bool, when string) {
			t.Helper()
			time.Sleep(Beat)
			synctest.Wait()
			if got := c.last.Load().resting; got != want {
				t.Errorf("%s: got resting %v, want %v", when, got, want)
			}
			checkNotBehind(t, when, c)
		}
		for range 2 {
			checkResting(true, "without agents")
			c.AddSource()
			checkResting(false, "with an agent")
			c.AddSource()
			c.RemoveSource()
			checkResting(false, "with one of two agents left")
			time.Sleep(time.Hour)
			checkResting(false, "an hour later")
			c.RemoveSource()
		}
		for range 10 {
			c.AddSource()
			c.RemoveSource()
		}
		checkResting(true, "after all have left")
	})
}

// The sidecar is paused at the instant at which an agent joins, before Run has
// noticed that the rest is over. That counts as a pause.
func TestPauseAtTheEndOfARestIsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		stop := run(c, always)
		time.Sleep(time.Hour)
		stop()
		before := c.Judged()
		c.AddSource()
		time.Sleep(time.Hour)
		checkNotCounted(t, "paused", c, before)
		var caughtUp atomic.Bool
		defer run(c, caughtUp.Load)()
		time.Sleep(MaxBehind / 2)
		checkNotCounted(t, "sockets unread", c, before)
		caughtUp.Store(true)
		awaitCaughtUp(c)
		checkCounted(t, "sockets read", c, before, time.Hour)
	})
}

// The sidecar is paused for an hour, and its last agent leaves right after. The clock
// rests only when what the agent had sent is read.
func TestClockCatchesUpBeforeItRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, before := pausedForAnHour()
		var caughtUp atomic.Bool
		defer run(c, caughtUp.Load)()
		time.Sleep(2 * Beat)
		c.RemoveSource()
		time.Sleep(2 * Beat)
		checkNotCounted(t, "sockets unread", c, before)
		caughtUp.Store(true)
		time.Sleep(2 * Beat)
		checkNotBehind(t, "sockets read", c)
		if !c.last.Load().resting {
			t.Error("sockets read: the clock does not rest")
		}
	})
}

// Sources are added and removed at once, for the race detector. From the return of
// AddSource until RemoveSource the clock never rests.
func TestClockNeverRestsWithASource(t *testing.T) {
	c := New()
	defer run(c, always)()
	var agents sync.WaitGroup
	for range 4 {
		agents.Go(func() {
			for range 2000 {
				c.AddSource()
				if c.last.Load().resting {
					t.Error("the clock rests after AddSource")
				}
				c.RemoveSource()
				c.rest() // as Run does, and more often
			}
		})
	}
	agents.Wait()
	if c.sources != 0 {
		t.Errorf("got %d sources, want 0", c.sources)
	}
}
