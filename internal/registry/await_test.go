package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/poll"
)

// ask asks and fails the test if there is no answer.
func ask(t testing.TB, r *Registry, name string, maxAge time.Duration) Answer {
	t.Helper()
	a, err := r.Await(t.Context(), []byte(name), maxAge)
	if err != nil {
		t.Error(err)
	}
	return a
}

// TestAThousandCheckersShareOneCommand lets a thousand ask at once, twice: each
// thousand costs the main loop one command.
func TestAThousandCheckersShareOneCommand(t *testing.T) {
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
					a := ask(t, r, name, time.Duration(i+1)*time.Microsecond)
					if a.Status != judge.Serving || a.Age != 0 {
						t.Errorf("%q is %v, %s, with facts of %v", name, a.Status, a.Reason(), a.Age)
					}
					answered.Add(1)
				})
			}
			synctest.Wait()
			if n := epg.put(); n != round {
				t.Errorf("%d commands were put, want %d", n, round)
			}
			if n := answered.Load(); n != 0 {
				t.Errorf("%d were answered before the main loop was", n)
			}
			time.Sleep(5 * time.Millisecond)
			epg.pass()
			checkers.Wait()
			if n := epg.put(); n != round {
				t.Errorf("afterwards %d commands were put, want %d", n, round)
			}
		}
	})
}

// TestOneCommandAtATime lets checkers come all the time, each after facts that
// are newer than the command under way can bring.
func TestOneCommandAtATime(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		var checkers sync.WaitGroup
		for i := range 100 {
			time.Sleep(time.Millisecond)
			checkers.Go(func() { ask(t, r, "epg", time.Microsecond) })
			synctest.Wait()
			if n, want := epg.put(), i/10+1; n != want {
				t.Fatalf("after %d questions %d commands were put, want %d", i+1, n, want)
			}
			if i%10 == 9 { // the loop answers, as of before the last five questions
				if err := epg.report(Fact{Reached: true, Age: 4500 * time.Microsecond}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
		}
		epg.pass()
		checkers.Wait()
	})
}

// TestUnansweredIsTheCheckersAlone holds that a command which is not answered
// leaves everything as it was.
func TestUnansweredIsTheCheckersAlone(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		time.Sleep(200 * time.Millisecond)
		news := r.Subscribe([]byte("epg"))
		defer news.Close()
		shot := (*r.services.Load())["epg"].current.Load()
		asked := time.Now()

		a := ask(t, r, "epg", 100*time.Millisecond)
		if waited := time.Since(asked); waited != maxPollTimeout {
			t.Errorf("the checker waited for %v, want %v", waited, maxPollTimeout)
		}
		if a.Status != judge.NotServing || a.Cause != judge.Stalled || a.Weight != 0 {
			t.Errorf("the checker is told %v, %q, weight %d", a.Status, a.Cause, a.Weight)
		}
		if a.Age != time.Second {
			t.Errorf("the facts' age is %v, want 1 s", a.Age)
		}
		if look(r, "epg").Status != judge.Serving || (*r.services.Load())["epg"].current.Load() != shot {
			t.Error("memory was touched")
		}
		select {
		case <-news.Changed():
			t.Error("it was news")
		default:
		}
	})
}

// TestPullsPerSecond asks all the time and counts the commands of any second.
// Who is answered from memory then is told the true age, and that it is little.
func TestPullsPerSecond(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		var puts []time.Time
		var oldest time.Duration
		for range 3000 {
			time.Sleep(time.Millisecond)
			before := epg.put()
			var answer Answer
			var checker sync.WaitGroup
			checker.Go(func() { answer = ask(t, r, "epg", time.Microsecond) })
			synctest.Wait()
			if epg.put() > before {
				puts = append(puts, time.Now())
				epg.pass()
			}
			checker.Wait()
			if answer.Status != judge.Serving {
				t.Fatalf("it is %v: %s", answer.Status, answer.Reason())
			}
			if want := time.Since(puts[len(puts)-1]); answer.Age != want {
				t.Fatalf("the facts' age is %v, in truth %v", answer.Age, want)
			}
			oldest = max(oldest, answer.Age)
		}
		for i := range puts[:len(puts)-poll.PerSecond] {
			if d := puts[i+poll.PerSecond].Sub(puts[i]); d < time.Second {
				t.Fatalf("%d commands were put within %v", poll.PerSecond+1, d)
			}
		}
		if high := 3 * poll.PerSecond; len(puts) < high*4/5 || len(puts) > high {
			t.Errorf("%d commands were put in 3 s, want nearly %d", len(puts), high)
		}
		if oldest == 0 || oldest > 15*time.Millisecond {
			t.Errorf("the oldest facts that were told are of %v", oldest)
		}
	})
}

// TestWaitersAreBounded fills the slots of requests about unknown names. One more
// gets no answer, rather than one that may be wrong. Requests about a known
// service, and about all, wait in slots of their own.
func TestWaitersAreBounded(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, r *Registry) {
		var checkers sync.WaitGroup
		var answered atomic.Int32
		for i := range maxWaitingUnknown {
			checkers.Go(func() {
				ask(t, r, fmt.Sprintf("epg%d", i%7), 0)
				answered.Add(1)
			})
		}
		synctest.Wait()
		if n := answered.Load(); n != 0 {
			t.Fatalf("%d were answered within the start grace", n)
		}
		began := time.Now()
		if a, err := r.Await(t.Context(), []byte("epg"), 0); !errors.Is(err, ErrOverloaded) || a.Status != judge.Unknown {
			t.Errorf("one more is answered %v, %v", a.Status, err)
		}
		open(t, r, "known", "a").pass()
		if a := ask(t, r, "known", 0); a.Status != judge.Serving {
			t.Errorf("a known service is %v", a.Status)
		}
		checkers.Go(func() { ask(t, r, "", 0) })
		synctest.Wait()
		if n := len(r.waiters.known); n != 1 {
			t.Errorf("%d wait for all services, want 1", n)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("they waited for %v", d)
		}
		checkers.Wait()
		if d := time.Since(began); d != time.Second {
			t.Errorf("the others waited for %v, want 1 s", d)
		}
		if n := len(r.waiters.known) + len(r.waiters.unknown); n != 0 {
			t.Errorf("%d are still counted as waiting", n)
		}
		if len(r.subscriptions.byService) != 0 {
			t.Errorf("they left subscriptions to %d names", len(r.subscriptions.byService))
		}
	})
}

// crowd takes all the room that there is for those who wait.
func crowd(r *Registry) {
	for range maxWaiting {
		r.waiters.known <- struct{}{}
	}
}

// TestNoCrowdIsToldServing holds that who finds no room to wait is not told to
// be serving what may have died in a pause of the sidecar's.
func TestNoCrowdIsToldServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		c.AddSource()
		stop := run(c)
		r := New(c, 0)
		open(t, r, "epg", "a").pass()
		stop()
		time.Sleep(time.Hour) // in which it dies
		defer run(c)()
		crowd(r)
		for _, name := range []string{"epg", "epg-liveness", ""} {
			if a, err := r.Await(t.Context(), []byte(name), 0); !errors.Is(err, ErrOverloaded) || a.Status == judge.Serving {
				t.Errorf("behind a pause %q is told to be %v, %v", name, a.Status, err)
			}
		}
		time.Sleep(clock.MaxBehind + 2*clock.Beat)
		if a := ask(t, r, "epg", 0); a.Cause != judge.Stale {
			t.Errorf("then it is told to be %v, %q", a.Status, a.Cause)
		}
	})
}

// TestNoCrowdIsToldThatAllServe holds the same of all services, while some may
// be yet to come back.
func TestNoCrowdIsToldThatAllServe(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, r *Registry) {
		crowd(r)
		epg := open(t, r, "epg", "a")
		epg.pass()
		if a, err := r.Await(t.Context(), nil, 0); !errors.Is(err, ErrOverloaded) || a.Status == judge.Serving {
			t.Errorf("in the start grace all services are told to be %v, %v", a.Status, err)
		}
		time.Sleep(time.Second)
		epg.pass()
		if a := ask(t, r, "", 0); a.Status != judge.Serving {
			t.Errorf("then they are told to be %v, %q", a.Status, a.Cause)
		}
	})
}

// TestPauseWhileTheLoopIsAsked pauses the sidecar while a checker waits for the
// main loop. Its answer lies in the socket by the end of the pause, or else what
// became of the program does.
func TestPauseWhileTheLoopIsAsked(t *testing.T) {
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
				c := clock.New()
				c.AddSource()
				stop := run(c)
				r := New(c, 0)
				epg := open(t, r, "epg", "a")
				epg.pass()
				time.Sleep(100 * time.Millisecond)
				told := make(chan Answer)
				go func() { told <- ask(t, r, "epg", 50*time.Millisecond) }()
				synctest.Wait()
				stop()
				time.Sleep(10 * time.Second)

				epg.unread.Store(true)
				defer run(c)()
				time.Sleep(clock.MaxBehind / 2)
				select {
				case a := <-told:
					t.Errorf("before the sockets are read it is told to be %v, %q", a.Status, a.Cause)
					return
				default:
				}
				tt.meanwhile(epg)
				epg.unread.Store(false)
				if tt.cause == judge.None {
					time.Sleep(maxReportInterval / 2)
					epg.pass()
				}
				if a := <-told; a.Cause != tt.cause {
					t.Errorf("it is told to be %v, %q, want %q", a.Status, a.Cause, tt.cause)
				}
			})
		})
	}
}

// TestCheckerLeaves holds that who leaves gets no answer, in the start grace and
// while the main loop is asked, and leaves nothing behind.
func TestCheckerLeaves(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, r *Registry) {
		ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer leave()
		if a, err := r.Await(ctx, []byte("epg"), 0); !errors.Is(err, context.DeadlineExceeded) || a.Status != judge.Unknown {
			t.Errorf("in the start grace it is told %v, %v", a.Status, err)
		}

		epg := open(t, r, "epg", "a")
		epg.pass()
		time.Sleep(100 * time.Millisecond)
		ctx, leave = context.WithCancel(t.Context())
		var checker sync.WaitGroup
		checker.Go(func() {
			if a, err := r.Await(ctx, []byte("epg"), time.Millisecond); !errors.Is(err, context.Canceled) || a.Status != judge.Unknown {
				t.Errorf("while the loop is asked it is told %v, %v", a.Status, err)
			}
		})
		synctest.Wait()
		leave()
		checker.Wait()
		if n := len(r.waiters.known) + len(r.waiters.unknown); n != 0 {
			t.Errorf("%d are still counted as waiting", n)
		}
	})
}

// TestAskedLoopIsGone holds that nobody waits for a Loop that its process
// declares no more.
func TestAskedLoopIsGone(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		a, b := open(t, r, "epg", "a"), open(t, r, "epg", "b")
		a.pass()
		b.pass()
		time.Sleep(100 * time.Millisecond)
		var checker sync.WaitGroup
		checker.Go(func() {
			if answer := ask(t, r, "epg", 50*time.Millisecond); answer.Status != judge.Serving {
				t.Errorf("it is %v: %s", answer.Status, answer.Reason())
			}
		})
		synctest.Wait()
		alive := mainLoop
		alive.Kind = judge.KindAlive
		a.session.Declare([]judge.Declared{alive})
		if err := a.session.Report([]Fact{{Reached: true}}, 0); err != nil {
			t.Fatal(err)
		}
		b.pass()
		checker.Wait()
	})
}
