package clock

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// follower is a Follower of which the test says how far it is.
type follower struct {
	until  atomic.Int64 // QuietUntil
	behind atomic.Bool
	calls  atomic.Int64 // of CatchUp
	paused atomic.Int64 // when the latest pause began
}

func (f *follower) QuietUntil() judge.Instant    { return judge.Instant(f.until.Load()) }
func (f *follower) Pause(began, _ judge.Instant) { f.paused.Store(int64(began)) }
func (f *follower) CatchUp(judge.Instant) bool   { f.calls.Add(1); return f.behind.Load() }

// quietUntil makes the instant d from now the end of the quiet.
func (f *follower) quietUntil(c *Clock, d time.Duration) {
	_, real := c.Read()
	f.until.Store(int64(real.Add(d)))
}

// newQuiet returns a clock with a quiet source, no silence of which ever counts.
func newQuiet() (*Clock, *follower) {
	c, f := New(), new(follower)
	f.until.Store(math.MaxInt64)
	c.SetFollower(f)
	c.AddQuietSource()
	return c, f
}

// beats counts the beats of the clock in the time d.
func beats(c *Clock, d time.Duration) (n int) {
	over := time.After(d)
	for {
		select {
		case <-c.NextBeat():
			n++
		case <-over:
			return n
		}
	}
}

// While no silence can change a verdict, the clock does not beat, and is up to date.
func TestQuietClockDoesNotBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newQuiet()
		defer run(c, always)()
		time.Sleep(2 * Beat)
		if got, most := beats(c, time.Hour), int(time.Hour/MaxQuiet)+1; got > most {
			t.Errorf("got %d beats in an hour, want at most %d", got, most)
		}
		checkNotBehind(t, "after an hour", c)
		if n, _ := c.Pauses(); n != 0 {
			t.Errorf("got %d pauses, want 0", n)
		}
	})
}

// From the end of the quiet on the clock beats, on time, until that is later again.
func TestClockBeatsWhenASilenceMayCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := newQuiet()
		defer run(c, always)()
		f.quietUntil(c, time.Second)
		time.Sleep(2 * Beat)
		if n := beats(c, time.Second-3*Beat); n > 1 {
			t.Errorf("got %d beats in the quiet, want none but that which began it", n)
		}
		if n, least := beats(c, time.Second), int(time.Second/Beat)-3; n < least {
			t.Errorf("got %d beats in the second after the quiet, want at least %d", n, least)
		}
		f.until.Store(math.MaxInt64)
		time.Sleep(2 * Beat)
		if n := beats(c, time.Second); n > 0 {
			t.Errorf("got %d beats in the quiet after that, want none", n)
		}
	})
}

// Whatever needs beats ends the quiet at once: from then on a pause counts as one.
func TestQuietEnds(t *testing.T) {
	for name, end := range map[string]func(*Clock, *follower){
		"another source": func(c *Clock, _ *follower) { c.AddSource() },
		"KeepBeating":    func(c *Clock, _ *follower) { c.KeepBeating() },
		"EndQuiet": func(c *Clock, f *follower) {
			f.quietUntil(c, 0)
			c.EndQuiet(f.QuietUntil())
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, f := newQuiet()
			stop := run(c, always)
			time.Sleep(2 * Beat)
			stop()
			before := c.Judged()
			end(c, f)
			time.Sleep(time.Minute / 2)
			checkNotCounted(t, name+": paused", c, before)
			var caughtUp atomic.Bool
			defer run(c, caughtUp.Load)()
			time.Sleep(MaxBehind / 2)
			checkNotCounted(t, name+": sockets unread", c, before)
			caughtUp.Store(true)
			awaitCaughtUp(c)
			checkCounted(t, name+": sockets read", c, before, time.Minute/2)
		})
	}
}

// A beat follows the end of the quiet as fast as any other, also if Run wakes on another
// processor before the caller goes on.
func TestBeatFollowsTheEndOfTheQuiet(t *testing.T) {
	for name, end := range map[string]func(*Clock, *follower) (undo func()){
		"another source": func(c *Clock, _ *follower) func() { c.AddSource(); return c.RemoveSource },
		"KeepBeating":    func(c *Clock, _ *follower) func() { return c.KeepBeating() },
		"EndQuiet": func(c *Clock, f *follower) func() {
			f.quietUntil(c, 0)
			c.EndQuiet(f.QuietUntil())
			return func() { f.until.Store(math.MaxInt64) }
		},
		"Follow": func(c *Clock, _ *follower) func() { c.Follow(); return func() {} },
	} {
		synctest.Test(t, func(t *testing.T) {
			c, f := newQuiet()
			defer run(c, always)()
			for range 3000 {
				time.Sleep(2 * Beat) // until the clock is quiet
				undo := end(c, f)
				next := c.NextBeat()
				time.Sleep(Beat + 1)
				select {
				case <-next:
				default:
					t.Errorf("%s: no beat followed within %v", name, Beat)
					return
				}
				undo()
			}
		})
	}
}

// EndQuiet with an instant at which the quiet ends anyway changes nothing.
func TestEndQuietLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := newQuiet()
		defer run(c, always)()
		f.quietUntil(c, time.Second)
		time.Sleep(2 * Beat)
		for range 20 {
			c.EndQuiet(f.QuietUntil())
		}
		if n := beats(c, time.Second/2); n > 1 {
			t.Errorf("got %d beats, want none", n)
		}
	})
}

// The sidecar is paused until after the end of the quiet. That is noticed, and nothing
// after the end counts before all is read.
func TestPauseBeyondTheQuietIsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := newQuiet()
		stop := run(c, always)
		f.quietUntil(c, time.Second)
		time.Sleep(2 * Beat)
		stop()
		time.Sleep(time.Hour)
		end := f.QuietUntil()
		if judged, _ := c.Read(); judged > end.Add(MaxGap) {
			t.Errorf("paused: the judged instant is %v after the end of the quiet, want at most %v", judged.Sub(end), MaxGap)
		}
		var caughtUp atomic.Bool
		defer run(c, caughtUp.Load)()
		time.Sleep(MaxBehind / 2)
		if judged, _ := c.Read(); judged > end.Add(MaxGap) {
			t.Errorf("sockets unread: the judged instant is %v after the end of the quiet, want at most %v", judged.Sub(end), MaxGap)
		}
		caughtUp.Store(true)
		awaitCaughtUp(c)
		if f.calls.Load() == 0 || judge.Instant(f.paused.Load()) > end.Add(MaxGap) {
			t.Errorf("the follower caught up %d times with a pause from %d on", f.calls.Load(), f.paused.Load())
		}
		if n, total := c.Pauses(); n != 1 || total < time.Hour-2*time.Second || total > time.Hour {
			t.Errorf("got %d pauses of %v, want one of nearly an hour", n, total)
		}
	})
}

// While the clock is quiet, a span goes on as long as the clock is read often enough. Its
// end is no earlier than the last reading.
func TestSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newQuiet()
		defer run(c, always)()
		time.Sleep(2 * Beat)
		var last judge.Instant
		read := func() *Span {
			_, last = c.Read()
			return c.Span()
		}
		span := read()
		for range 100 {
			time.Sleep(MaxGap - spanStep)
			if read() != span {
				t.Fatal("a new span although the clock was read in time")
			}
			time.Sleep(time.Millisecond)
			read()
		}
		before := last
		time.Sleep(MaxGap + time.Millisecond)
		if read() == span {
			t.Fatal("no new span although the clock was not read in time")
		}
		if end := span.End(); end < before || end > before.Add(spanStep) {
			t.Errorf("the span ends %v after the last reading, want 0 to %v", end.Sub(before), spanStep)
		}
		c.AddSource()
		read()
		span = c.Span()
		time.Sleep(time.Hour)
		if read() != span {
			t.Error("a new span although the clock beats")
		}
	})
}

// Follow has the follower catch up, as after a pause.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := newQuiet()
		defer run(c, always)()
		time.Sleep(2 * Beat)
		f.behind.Store(true)
		for range 20 { // no sooner than otherwise
			c.Follow()
			time.Sleep(Recheck / 2)
		}
		time.Sleep(Recheck / 4)
		if n := f.calls.Load(); n < 10 || n > 12 {
			t.Errorf("the follower caught up %d times in %v, want every %v", n, 10*Recheck, Recheck)
		}
		f.behind.Store(false)
		time.Sleep(2 * Beat)
		n := f.calls.Load()
		time.Sleep(time.Minute)
		if again := f.calls.Load(); again != n {
			t.Errorf("the follower caught up %d times more although it was not behind", again-n)
		}
		checkNotBehind(t, "afterwards", c)
	})
}

// A turn takes a beat of a quiet clock, too.
func TestTurnOfAQuietClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newQuiet()
		defer run(c, always)()
		for range 3 {
			time.Sleep(time.Minute + time.Second)
			began := time.Now()
			if err := c.Turn(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > Beat {
				t.Errorf("a turn took %v, want a beat", took)
			}
		}
	})
}

// Quiet sources and others come and go while the clock is read, for the race detector.
// No reading goes back, and the clock rests in the end.
func TestQuietClockIsSafeForConcurrentUse(t *testing.T) {
	c, f := New(), new(follower)
	f.until.Store(math.MaxInt64)
	c.SetFollower(f)
	stop := run(c, always)
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			var last judge.Instant
			for i := range 2000 {
				c.AddQuietSource()
				if i%10 == 0 {
					c.AddSource()
					c.RemoveSource()
				}
				_, real := c.Read()
				c.EndQuiet(real)
				c.Span().End()
				if real < last {
					t.Error("the real instant went back")
				}
				last = real
				c.RemoveQuietSource()
			}
		})
	}
	users.Wait()
	stop()
	if !c.rest() {
		t.Error("the clock does not rest")
	}
	checkNotBehind(t, "at rest", c)
}

// After a pause that outlasts the quiet a beat is overdue. However often something wakes
// the clock, nothing puts that off: one user's new connections must not keep everybody's
// answers waiting.
func TestNothingPutsOffAnOverdueBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := newQuiet()
		stop := run(c, always)
		f.quietUntil(c, time.Second)
		time.Sleep(2 * Beat)
		stop()
		time.Sleep(time.Minute)
		defer run(c, always)()
		for range 100 {
			c.AddSource()
			c.RemoveSource()
			time.Sleep(Beat / 5)
		}
		if judged, real := c.Read(); judged != real {
			t.Errorf("after %v the clock is still %v behind", 100*Beat/5, real.Sub(judged))
		}
	})
}
