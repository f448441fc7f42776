package landmark

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/collector"
)

// A testLoop is a Loop, and the same landmark as an agent gets it.
type testLoop struct {
	*Loop
	mark collector.Landmark
}

func newLoop(opts ...LoopOption) testLoop {
	var s Set
	l := s.Loop("main loop", time.Second, opts...)
	return testLoop{l, landmarks(&s)[0]}
}

func (l testLoop) send(t *testing.T, wantAnswers uint64) {
	t.Helper()
	if answers := l.mark.SendCommand(time.Now()); answers != wantAnswers {
		t.Fatalf("SendCommand() = %d, want %d", answers, wantAnswers)
	}
}

func (l testLoop) check(t *testing.T, state string, want collector.Sample) {
	t.Helper()
	if diff := cmp.Diff(want, l.mark.Sample(time.Now())); diff != "" {
		t.Errorf("%s (-want +got):\n%s", state, diff)
	}
}

func TestLoopSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop()
		time.Sleep(time.Minute)
		l.check(t, "idle, without a command", collector.Sample{Age: time.Minute})
		l.send(t, 0)
		l.check(t, "command sent", collector.Sample{Age: time.Minute, Open: true})
		time.Sleep(30 * time.Millisecond)
		(<-l.C())()
		l.check(t, "answered", collector.Sample{Reached: true, Count: 1, Lag: 30 * time.Millisecond})
		time.Sleep(time.Second)
		l.send(t, 1)
		time.Sleep(time.Hour)
		l.send(t, 1)
		l.check(t, "hanging for an hour", collector.Sample{
			Reached: true, Age: time.Hour + time.Second, Count: 1, Open: true, Lag: 30 * time.Millisecond,
		})
		(<-l.C())()
		l.check(t, "answered after an hour", collector.Sample{Reached: true, Count: 2, Lag: time.Hour})
		select {
		case <-l.C():
			t.Error("more than one command is open")
		default:
		}
	})
}

func TestLoopCommandCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop()
		l.send(t, 0)
		first := <-l.C()
		first()
		first()
		l.check(t, "run twice", collector.Sample{Reached: true, Count: 1})
		l.send(t, 1)
		time.Sleep(time.Minute)
		first()
		l.check(t, "earlier command run again",
			collector.Sample{Reached: true, Age: time.Minute, Count: 1, Open: true})
		(<-l.C())()
		first()
		l.check(t, "new command run", collector.Sample{Reached: true, Count: 2, Lag: time.Minute})
	})
}

func TestOnlyLoopsTakeCommands(t *testing.T) {
	var s Set
	s.Alive("a", time.Second)
	if landmarks(&s)[0].SendCommand != nil {
		t.Error("SendCommand of an Alive is not nil")
	}
}

func TestPostRunsOnMainLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := make(chan func(), 8)
		l := newLoop(Post(func(f func()) { queue <- f }))
		if l.C() != nil {
			t.Error("C() of a Loop with Post is not nil")
		}
		for n := range uint64(3) {
			l.send(t, n)
			time.Sleep(time.Millisecond)
			(<-queue)()
		}
		l.check(t, "answered", collector.Sample{Reached: true, Count: 3, Lag: time.Millisecond})
	})
}

// While post blocks, the next command stays open, SendCommand does not block, and
// post is not called again.
func TestBlockingPostKeepsCommandOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls int
		block := make(chan struct{})
		l := newLoop(Post(func(f func()) {
			calls++
			if calls == 1 {
				f() // the main loop runs the command before post blocks
			}
			<-block
		}))
		l.send(t, 0)
		synctest.Wait()
		l.check(t, "answered", collector.Sample{Reached: true, Count: 1})
		for range 100 {
			l.send(t, 1)
			time.Sleep(time.Minute)
		}
		if calls != 1 {
			t.Errorf("post was called %d times while it blocked, want once", calls)
		}
		l.check(t, "blocked", collector.Sample{Reached: true, Age: 100 * time.Minute, Count: 1, Open: true})
		close(block)
		synctest.Wait()
		if calls != 2 {
			t.Errorf("the waiting command was posted %d times, want once", calls-1)
		}
	})
}

func TestDroppingPostKeepsCommandOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(Post(func(func()) {}))
		for range 60 {
			l.send(t, 0)
			time.Sleep(time.Minute)
		}
		l.check(t, "never run", collector.Sample{Age: time.Hour, Open: true})
	})
}

// A command allocates its closure and nothing else.
func TestCommandAllocations(t *testing.T) {
	l := newLoop()
	now := time.Now()
	n := testing.AllocsPerRun(100, func() {
		l.mark.SendCommand(now)
		(<-l.C())()
	})
	if n > 1 {
		t.Errorf("%v allocations for a command, want 1", n)
	}
	if n := testing.AllocsPerRun(100, func() { l.mark.Sample(now) }); n != 0 {
		t.Errorf("%v allocations for a sample, want 0", n)
	}
}
