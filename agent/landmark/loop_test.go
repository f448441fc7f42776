package landmark

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/collector"
)

// loopUnderTest is a Loop and the carrier's hold on it.
type loopUnderTest struct {
	*Loop
	carrier collector.Landmark
}

func newLoop(opts ...LoopOption) loopUnderTest {
	var s Set
	l := s.Loop("main loop", time.Second, opts...)
	return loopUnderTest{l, landmarks(&s)[0]}
}

func (l loopUnderTest) put(t *testing.T, wantAnswers uint64) {
	t.Helper()
	if answers := l.carrier.SendCommand(time.Now()); answers != wantAnswers {
		t.Fatalf("SendCommand() = %d, want %d", answers, wantAnswers)
	}
}

func (l loopUnderTest) read(t *testing.T, what string, want collector.Sample) {
	t.Helper()
	if diff := cmp.Diff(want, l.carrier.Sample(time.Now())); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestLoopReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop()
		time.Sleep(time.Minute)
		l.read(t, "idle, with no command", collector.Sample{Age: time.Minute})
		l.put(t, 0)
		l.read(t, "put", collector.Sample{Age: time.Minute, Open: true})
		time.Sleep(30 * time.Millisecond)
		(<-l.C())()
		l.read(t, "answered", collector.Sample{Reached: true, Count: 1, Lag: 30 * time.Millisecond})
		time.Sleep(time.Second)
		l.put(t, 1)
		time.Sleep(time.Hour)
		l.put(t, 1)
		l.read(t, "wedged for an hour", collector.Sample{
			Reached: true, Age: time.Hour + time.Second, Count: 1, Open: true, Lag: 30 * time.Millisecond,
		})
		(<-l.C())()
		l.read(t, "freed", collector.Sample{Reached: true, Count: 2, Lag: time.Hour})
		select {
		case <-l.C():
			t.Error("more than one command was outstanding")
		default:
		}
	})
}

func TestLoopCommandCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop()
		l.put(t, 0)
		first := <-l.C()
		first()
		first()
		l.read(t, "run twice", collector.Sample{Reached: true, Count: 1})
		l.put(t, 1)
		time.Sleep(time.Minute)
		first()
		l.read(t, "old command run while a new one is open",
			collector.Sample{Reached: true, Age: time.Minute, Count: 1, Open: true})
		(<-l.C())()
		first()
		l.read(t, "new command run", collector.Sample{Reached: true, Count: 2, Lag: time.Minute})
	})
}

func TestOnlyLoopsTakeCommands(t *testing.T) {
	var s Set
	s.Alive("a", time.Second)
	if landmarks(&s)[0].SendCommand != nil {
		t.Error("an Alive takes a get-state command")
	}
}

func TestPostRunsOnMainLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := make(chan func(), 8)
		l := newLoop(Post(func(f func()) { queue <- f }))
		if l.C() != nil {
			t.Error("a Loop with a Post has a channel as well")
		}
		for n := range uint64(3) {
			l.put(t, n)
			time.Sleep(time.Millisecond)
			(<-queue)()
		}
		l.read(t, "answered", collector.Sample{Reached: true, Count: 3, Lag: time.Millisecond})
	})
}

// A post that blocks leaves the command open, whatever it did before blocking,
// holds nobody up, and is not called again meanwhile.
func TestPostThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls int
		block := make(chan struct{})
		l := newLoop(Post(func(f func()) {
			calls++
			if calls == 1 {
				f() // the main loop ran it, and only then post blocked
			}
			<-block
		}))
		l.put(t, 0)
		synctest.Wait()
		l.read(t, "answered", collector.Sample{Reached: true, Count: 1})
		for range 100 {
			l.put(t, 1)
			time.Sleep(time.Minute)
		}
		if calls != 1 {
			t.Errorf("post was called %d times at once", calls)
		}
		l.read(t, "blocked", collector.Sample{Reached: true, Age: 100 * time.Minute, Count: 1, Open: true})
		close(block)
		synctest.Wait()
		if calls != 2 {
			t.Errorf("the waiting command was posted %d times", calls-1)
		}
	})
}

func TestPostThatDropsStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(Post(func(func()) {}))
		for range 60 {
			l.put(t, 0)
			time.Sleep(time.Minute)
		}
		l.read(t, "never run", collector.Sample{Age: time.Hour, Open: true})
	})
}

// A command costs its closure, and nothing else.
func TestCommandAllocations(t *testing.T) {
	l := newLoop()
	now := time.Now()
	n := testing.AllocsPerRun(100, func() {
		l.carrier.SendCommand(now)
		(<-l.C())()
	})
	if n > 1 {
		t.Errorf("%v allocations a command, want 1", n)
	}
	if n := testing.AllocsPerRun(100, func() { l.carrier.Sample(now) }); n != 0 {
		t.Errorf("%v allocations a reading", n)
	}
}
