package clock

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// await waits until the clock has gone on after a pause, or returns ctx's error.
func (c *Clock) await(ctx context.Context) error {
	for {
		next := c.NextBeat()
		if judged, real := c.Read(); judged == real {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next:
		}
	}
}

func TestClockKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		c.AddSource()
		defer run(c)()
		for _, d := range []time.Duration{1, 24 * time.Millisecond, time.Millisecond, time.Second, time.Hour} {
			before := c.Judged()
			time.Sleep(d)
			judged, real := c.Read()
			if went := judged.Sub(before); went != d || judged != real {
				t.Errorf("after %v the clock went on by %v, and says %d where it is %d", d, went, judged, real)
			}
		}
	})
}

// TestClockWaitsForTheIntake stops the sidecar for an hour: what was judged
// stands still until the intake has read its sockets empty, and then all of
// that hour counts.
func TestClockWaitsForTheIntake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		c.AddSource()
		stop := run(c)
		time.Sleep(10 * Beat)
		stop()
		before := c.Judged()
		time.Sleep(time.Hour)

		var empty atomic.Bool
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go c.Run(ctx, empty.Load)
		time.Sleep(MaxBehind / 2)
		if went := c.Judged().Sub(before); went > MaxGap {
			t.Errorf("with its sockets full it counts %v of a pause of an hour, allowed %v", went, MaxGap)
		}
		waited := time.Now()
		caughtUp := make(chan error)
		go func() { caughtUp <- c.await(ctx) }()
		empty.Store(true)
		if err := <-caughtUp; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(waited); took > 4*Recheck {
			t.Errorf("it took %v to see that the sockets are empty", took)
		}
		if went := c.Judged().Sub(before); went < time.Hour {
			t.Errorf("with its sockets empty it counts %v of a pause of an hour", went)
		}
	})
}

// TestClockDoesNotWaitForEver plays an intake that never catches up: a frozen
// program must be found all the same.
func TestClockDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		c.AddSource()
		time.Sleep(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go c.Run(ctx, func() bool { return false })
		time.Sleep(MaxBehind + 2*Beat)
		if judged, real := c.Read(); judged != real {
			t.Errorf("%v after the pause it is %v behind", MaxBehind, real.Sub(judged))
		}
	})
}

// TestStarvedClockKeepsUp stops the sidecar for most of the time: what it has
// judged is never behind for longer than it takes to look twice, or MaxBehind.
func TestStarvedClockKeepsUp(t *testing.T) {
	for _, gap := range []time.Duration{40 * time.Millisecond, 200 * time.Millisecond, time.Second} {
		for _, empties := range []bool{true, false} {
			r := &reading{}
			var real, behind, longest time.Duration
			for range 1000 {
				real += gap
				r = r.next(real, func() bool { return empties })
				if behind += gap; !r.behind {
					behind = 0
				}
				longest = max(longest, behind)
			}
			if allowed := MaxBehind + 3*gap; longest > allowed {
				t.Errorf("with gaps of %v it was behind for %v, allowed %v", gap, longest, allowed)
			}
		}
	}
}

// TestClockNeverGoesBack reads it at every millisecond of a life with pauses,
// by the reading of the time and by the one before.
func TestClockNeverGoesBack(t *testing.T) {
	r := &reading{}
	var last judge.Instant
	read := func(r *reading, real time.Duration) {
		now := r.at(real)
		if now < last {
			t.Fatalf("at %v it says %d, after %d", real, now, last)
		}
		if now > judge.Instant(real) {
			t.Fatalf("at %v it says %d", real, now)
		}
		last = now
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
			read(r, real)
		}
		r = r.next(real, func() bool { return i%3 == 0 })
		read(r, real)
	}
}

// TestClockRests holds that a sidecar to which nobody reports does nothing at
// all, and knows that there was nothing to hear, whatever pauses it makes.
func TestClockRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		defer run(c)()
		synctest.Wait()
		resting := c.last.Load()
		if !resting.resting {
			t.Fatal("without agents it does not rest")
		}
		time.Sleep(time.Hour)
		if judged, real := c.Read(); judged != real || c.last.Load() != resting {
			t.Errorf("after an hour of rest it is %v behind", real.Sub(judged))
		}
	})
}

// TestClockBeatsForWhoJoined lets agents come and go: it beats while there are
// any, and always says how late it is.
func TestClockBeatsForWhoJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		defer run(c)()
		resting := func(want bool, when string) {
			t.Helper()
			time.Sleep(Beat)
			synctest.Wait()
			if c.last.Load().resting != want {
				t.Errorf("%s: resting is %v", when, !want)
			}
			if judged, real := c.Read(); judged != real {
				t.Errorf("%s: it is %v behind", when, real.Sub(judged))
			}
		}
		for range 2 {
			resting(true, "without agents")
			c.AddSource()
			resting(false, "with an agent")
			c.AddSource()
			c.RemoveSource()
			resting(false, "with one of two agents left")
			time.Sleep(time.Hour)
			resting(false, "an hour later")
			c.RemoveSource()
		}
		for range 10 {
			c.AddSource()
			c.RemoveSource()
		}
		resting(true, "after all have left")
	})
}

// TestPauseAtTheEndOfARest stops the sidecar at the very instant at which an
// agent joins, before the clock's own goroutine runs: the pause is one.
func TestPauseAtTheEndOfARest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		stop := run(c)
		time.Sleep(time.Hour)
		stop()
		rested := c.Judged()
		c.AddSource()
		time.Sleep(time.Hour)
		if went := c.Judged().Sub(rested); went > MaxGap {
			t.Errorf("before it runs again it counts %v of a pause of an hour, allowed %v", went, MaxGap)
		}
		var empty atomic.Bool
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go c.Run(ctx, empty.Load)
		time.Sleep(MaxBehind / 2)
		if went := c.Judged().Sub(rested); went > MaxGap {
			t.Errorf("with its sockets full it counts %v of a pause of an hour, allowed %v", went, MaxGap)
		}
		empty.Store(true)
		if err := c.await(ctx); err != nil {
			t.Fatal(err)
		}
		if went := c.Judged().Sub(rested); went < time.Hour {
			t.Errorf("with its sockets empty it counts %v of a pause of an hour", went)
		}
	})
}

// TestClockDoesNotRestBeforeItHasCaughtUp stops the sidecar for an hour, in
// which its last agent leaves: what that said counts before the rest.
func TestClockDoesNotRestBeforeItHasCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		c.AddSource()
		stop := run(c)
		time.Sleep(10 * Beat)
		stop()
		before := c.Judged()
		time.Sleep(time.Hour)

		var empty atomic.Bool
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go c.Run(ctx, empty.Load)
		time.Sleep(2 * Beat)
		c.RemoveSource()
		time.Sleep(2 * Beat)
		if went := c.Judged().Sub(before); went > MaxGap {
			t.Errorf("with its sockets full it counts %v of a pause of an hour, allowed %v", went, MaxGap)
		}
		empty.Store(true)
		time.Sleep(2 * Beat)
		if judged, real := c.Read(); judged != real || !c.last.Load().resting {
			t.Errorf("with its sockets empty it is %v behind", real.Sub(judged))
		}
	})
}

// TestJoinersAndLeavers lets everything happen at once, for the race detector:
// while anybody has joined, and once AddSource has returned, the clock never rests.
func TestJoinersAndLeavers(t *testing.T) {
	c := New()
	defer run(c)()
	var agents sync.WaitGroup
	for range 4 {
		agents.Go(func() {
			for range 2000 {
				c.AddSource()
				if c.last.Load().resting {
					t.Error("it rests though an agent has joined")
				}
				c.RemoveSource()
				c.rest() // as Run does, and oftener
			}
		})
	}
	agents.Wait()
	if c.sources != 0 {
		t.Errorf("%d are left", c.sources)
	}
}
