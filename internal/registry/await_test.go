package registry

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/poll"
)

// A thousand checkers check at once, twice. Each time the main loop receives one
// command.
func TestManyCheckersShareOneCommand(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		for round := 1; round <= 2; round++ {
			time.Sleep(500 * time.Millisecond)
			var checkers sync.WaitGroup
			var answered atomic.Int32
			for i := range 1000 {
				checkers.Go(func() {
					name := []string{"epg", "epg-liveness", "epg-readiness", "", "liveness"}[i%5]
					a := await(t, r, name, time.Duration(i+1)*time.Microsecond)
					check(t, name, a, judge.None)
					if a.Age != 0 {
						t.Errorf("%q: got facts of age %v, want 0", name, a.Age)
					}
					answered.Add(1)
				})
			}
			synctest.Wait()
			if n := epg.commandCount(); n != round {
				t.Errorf("while the checkers wait: got %d commands, want %d", n, round)
			}
			if n := answered.Load(); n != 0 {
				t.Errorf("before the main loop answered: got %d answers, want 0", n)
			}
			time.Sleep(5 * time.Millisecond)
			epg.pass()
			checkers.Wait()
			if n := epg.commandCount(); n != round {
				t.Errorf("after all answers: got %d commands, want %d", n, round)
			}
		}
	})
}

// Checkers come all the time. Each wants newer facts than the command on its way
// can bring, but the next command waits for the answer to that one.
func TestOneCommandIsOnItsWayAtATime(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		var checkers sync.WaitGroup
		for i := range 100 {
			time.Sleep(time.Millisecond)
			checkers.Go(func() { await(t, r, "epg", time.Microsecond) })
			synctest.Wait()
			if n, want := epg.commandCount(), i/10+1; n != want {
				t.Fatalf("after %d checks: got %d commands, want %d", i+1, n, want)
			}
			if i%10 == 9 { // the loop answers, as of before the last five checks
				epg.mustReport(Fact{Reached: true, Age: 4500 * time.Microsecond})
				synctest.Wait()
			}
		}
		epg.pass()
		checkers.Wait()
	})
}

// A command without an answer makes the checker's own answer stalled, and changes
// nothing for others.
func TestUnansweredCommandStallsOneCheckerOnly(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		time.Sleep(200 * time.Millisecond)
		sub := r.Subscribe([]byte("epg"))
		defer sub.Close()
		before := r.service("epg").current.Load()
		began := time.Now()

		a := await(t, r, "epg", 100*time.Millisecond)
		if waited := time.Since(began); waited != maxPollTimeout {
			t.Errorf("the checker waited for %v, want %v", waited, maxPollTimeout)
		}
		check(t, "the checker", a, judge.Stalled)
		if a.Weight != 0 || a.Age != time.Second {
			t.Errorf("the checker: got weight %d, facts of age %v; want 0, 1s", a.Weight, a.Age)
		}
		check(t, "others", lookup(r, "epg"), judge.None)
		if r.service("epg").current.Load() != before {
			t.Error("the snapshot was replaced")
		}
		if received(sub.Changed()) {
			t.Error("watchers were woken")
		}
	})
}

// Checkers want the newest facts all the time. The commands within any second are
// limited. An answer from memory has the true age, which is small.
func TestCommandsAreLimitedPerSecond(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		var sent []time.Time
		var oldest time.Duration
		for range 3000 {
			time.Sleep(time.Millisecond)
			before := epg.commandCount()
			var answer Answer
			var checker sync.WaitGroup
			checker.Go(func() { answer = await(t, r, "epg", time.Microsecond) })
			synctest.Wait()
			if epg.commandCount() > before {
				sent = append(sent, time.Now())
				epg.pass()
			}
			checker.Wait()
			if answer.Status != judge.Serving {
				t.Fatalf("got %v (%s), want %v", answer.Status, answer.Reason(), judge.Serving)
			}
			if want := time.Since(sent[len(sent)-1]); answer.Age != want {
				t.Fatalf("got facts of age %v, want %v", answer.Age, want)
			}
			oldest = max(oldest, answer.Age)
		}
		for i := range sent[:len(sent)-poll.PerSecond] {
			if d := sent[i+poll.PerSecond].Sub(sent[i]); d < time.Second {
				t.Fatalf("got %d commands within %v, want at most %d a second", poll.PerSecond+1, d, poll.PerSecond)
			}
		}
		if most := 3 * poll.PerSecond; len(sent) < most*4/5 || len(sent) > most {
			t.Errorf("got %d commands in 3 s, want %d to %d", len(sent), most*4/5, most)
		}
		if oldest == 0 || oldest > 15*time.Millisecond {
			t.Errorf("got an oldest age of %v, want more than 0, at most 15ms", oldest)
		}
	})
}

// The sidecar is paused while a checker waits for the main loop. When the pause
// ends, either the loop's answer is in the socket, or the end of the program, or
// nothing.
func TestPauseWhileTheLoopIsPolled(t *testing.T) {
	for name, tt := range map[string]struct {
		meanwhile func(*agent)
		cause     judge.Cause
	}{
		"answered": {(*agent).pass, judge.None},
		"died":     {func(a *agent) { a.session.Disconnect() }, judge.Lost},
		"froze":    {func(*agent) {}, judge.Stale},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, pause := runWithSource()
				epg := open(t, r, "epg", "a")
				epg.pass()
				time.Sleep(100 * time.Millisecond)
				answer := make(chan Answer)
				go func() { answer <- await(t, r, "epg", 50*time.Millisecond) }()
				synctest.Wait()
				pause()
				time.Sleep(10 * time.Second)

				epg.unread.Store(true)
				defer run(r.clock)()
				time.Sleep(clock.MaxBehind / 2)
				if received(answer) {
					t.Error("the checker was answered before the socket was read")
					return
				}
				tt.meanwhile(epg)
				epg.unread.Store(false)
				if tt.cause == judge.None {
					time.Sleep(contract.MaxReportInterval / 2)
					epg.pass()
				}
				check(t, "after the pause", <-answer, tt.cause)
			})
		})
	}
}

// A checker that leaves during the start grace, or while the main loop is polled,
// gets its context's error and leaves nothing behind.
func TestCheckerThatLeavesGetsNoAnswer(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, r *Registry) {
		ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer leave()
		if a, err := r.Await(ctx, []byte("epg"), 0); !errors.Is(err, context.DeadlineExceeded) || a.Status != judge.Unknown {
			t.Errorf("in the start grace: got %v, %v; want no answer, %v", a.Status, err, context.DeadlineExceeded)
		}

		epg := open(t, r, "epg", "a")
		epg.pass()
		time.Sleep(100 * time.Millisecond)
		ctx, leave = context.WithCancel(t.Context())
		var checker sync.WaitGroup
		checker.Go(func() {
			if a, err := r.Await(ctx, []byte("epg"), time.Millisecond); !errors.Is(err, context.Canceled) || a.Status != judge.Unknown {
				t.Errorf("while the loop is polled: got %v, %v; want no answer, %v", a.Status, err, context.Canceled)
			}
		})
		synctest.Wait()
		leave()
		checker.Wait()
		if n := waiting(r); n != 0 {
			t.Errorf("got %d waiting checkers, want 0", n)
		}
	})
}

// A checker does not wait for a Loop that its process has just stopped declaring.
func TestUndeclaredLoopIsNotAwaited(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		a, b := open(t, r, "epg", "a"), open(t, r, "epg", "b")
		a.pass()
		b.pass()
		time.Sleep(100 * time.Millisecond)
		var checker sync.WaitGroup
		checker.Go(func() { check(t, "epg", await(t, r, "epg", 50*time.Millisecond), judge.None) })
		synctest.Wait()
		alive := mainLoop
		alive.Kind = judge.KindAlive
		a.session.Declare([]judge.Declared{alive})
		if err := a.session.Report([]Fact{passed}, 0); err != nil {
			t.Fatal(err)
		}
		b.pass()
		checker.Wait()
	})
}
