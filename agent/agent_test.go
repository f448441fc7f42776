package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/collector"
	"github.com/landmark-health/landmark/internal/hostclock"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A journal keeps what a sidecar was told, and lets it behave like one.
type journal struct {
	mu       sync.Mutex // guards messages
	messages []*reportv1.StreamRequest
}

// take is a handler that welcomes an agent and writes down what it says.
func (j *journal) take(stream agentStream) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		j.mu.Lock()
		j.messages = append(j.messages, m)
		j.mu.Unlock()
		switch m.Message.(type) {
		case *reportv1.StreamRequest_Declaration:
			if err := stream.Send(welcome()); err != nil {
				return err
			}
		case *reportv1.StreamRequest_Goodbye:
			return nil
		}
	}
}

// kinds returns the kinds of the messages so far: H, D, R, G.
func (j *journal) kinds() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var kinds strings.Builder
	for _, m := range j.messages {
		switch m.Message.(type) {
		case *reportv1.StreamRequest_Hello:
			kinds.WriteByte('H')
		case *reportv1.StreamRequest_Declaration:
			kinds.WriteByte('D')
		case *reportv1.StreamRequest_Report:
			kinds.WriteByte('R')
		case *reportv1.StreamRequest_Goodbye:
			kinds.WriteByte('G')
		}
	}
	return kinds.String()
}

func (j *journal) first() *reportv1.StreamRequest {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.messages[0]
}

func (j *journal) last() *reportv1.StreamRequest {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.messages[len(j.messages)-1]
}

func (j *journal) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.messages = nil
}

// startAgent starts an agent with the sidecar s, logging to the buffer.
func startAgent(t *testing.T, marks *landmark.Set, s *sidecar, log io.Writer) *Agent {
	t.Helper()
	cfg, err := Config{
		Service: "epg", Instance: "a", Landmarks: marks, Socket: "/nowhere",
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}.complete()
	if err != nil {
		t.Fatal(err)
	}
	return start(cfg, s.dial, hostclock.Clock{})
}

func closeAgent(t *testing.T, a *Agent) {
	t.Helper()
	if err := a.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
}

func TestAgentSaysWhatItShould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		s := newSidecar(t, j.take)
		s.start()
		var marks landmark.Set
		marks.Alive("a", time.Second)
		agent := startAgent(t, &marks, s, io.Discard)
		synctest.Wait()
		if got := j.kinds(); got != "HDR" {
			t.Errorf("at once the agent said %q, want HDR", got)
		}
		hello := j.first().GetHello()
		if hello.Service != "epg" || hello.Instance != "a" {
			t.Errorf("hello = %v", hello)
		}
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		if got := j.kinds(); got != "HDRRRRR" {
			t.Errorf("after a second the agent had said %q, want HDRRRRR", got)
		}
		closeAgent(t, agent)
		if got := j.kinds(); !strings.HasSuffix(got, "RG") {
			t.Errorf("at the end the agent had said %q, want one goodbye", got)
		}
		closeAgent(t, agent)
	})
}

func TestAgentDialsUntilThereIsASidecar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		s := newSidecar(t, j.take)
		var marks landmark.Set
		marks.Alive("a", time.Second)
		var log bytes.Buffer
		agent := startAgent(t, &marks, s, &log)

		time.Sleep(time.Hour)
		synctest.Wait()
		if n := s.dialled(); n < 3600/0.6 || n > 3600/0.4+10 {
			t.Errorf("%d dials in an hour, want one each 400 to 600 ms", n)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("one cause was logged %d times:\n%s", n, log.String())
		}
		s.start()
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		if got := j.kinds(); !strings.HasPrefix(got, "HDR") {
			t.Errorf("the agent said %q to a sidecar that came late, want HDR…", got)
		}
		closeAgent(t, agent)
	})
}

// A sidecar that is started anew hears everything again, at once.
func TestAgentRedialsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		s := newSidecar(t, j.take)
		s.start()
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Second)
		go answerUntilWedged(loop, time.Minute)
		var log bytes.Buffer
		agent := startAgent(t, &marks, s, &log)
		for range 3 {
			time.Sleep(time.Minute + time.Millisecond) // between two reports
			synctest.Wait()
			j.clear()
			s.restart()
			synctest.Wait()
			if got := j.kinds(); !strings.HasPrefix(got, "HDR") {
				t.Fatalf("the agent said %q to a restarted sidecar, want HDR… at once", got)
			}
		}
		// The loop wedged two minutes ago; who comes anew must learn that.
		f := j.last().GetReport().Facts[0]
		if age := time.Duration(f.AgeUs) * time.Microsecond; !f.Open || age < 2*time.Minute {
			t.Errorf("a loop wedged for 2 min is reported as %v", f)
		}
		if n := strings.Count(log.String(), "\n"); n != 7 {
			t.Errorf("4 welcomes and 3 breaks made %d lines:\n%s", n, log.String())
		}
		closeAgent(t, agent)
	})
}

// answerUntilWedged is a main loop that works for a while and then hangs.
func answerUntilWedged(loop *landmark.Loop, d time.Duration) {
	wedge := time.After(d)
	for {
		select {
		case answer := <-loop.C():
			answer()
		case <-wedge:
			return
		}
	}
}

// A sidecar that welcomes and hangs up must not make the agent spin.
func TestAgentDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSidecar(t, func(stream agentStream) error {
			stream.Send(welcome())
			return status.Error(codes.Unavailable, "not today")
		})
		s.start()
		var marks landmark.Set
		agent := startAgent(t, &marks, s, io.Discard)
		time.Sleep(time.Minute)
		if n := s.dialled(); n > 160 {
			t.Errorf("%d dials in a minute", n)
		}
		closeAgent(t, agent)
	})
}

func TestAgentSlowsDownWhenRefused(t *testing.T) {
	for _, code := range []codes.Code{codes.PermissionDenied, codes.InvalidArgument, codes.Unimplemented} {
		t.Run(code.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSidecar(t, func(agentStream) error { return status.Error(code, "not you") })
				s.start()
				var marks landmark.Set
				var log bytes.Buffer
				agent := startAgent(t, &marks, s, &log)
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := s.dialled(); n < 10 || n > 16 {
					t.Errorf("%d dials in a minute, want about one each 5 s", n)
				}
				if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "not you") {
					t.Errorf("log, want one line with the cause:\n%s", got)
				}
				closeAgent(t, agent)
			})
		})
	}
}

func TestAgentGivesWayToNewerInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSidecar(t, func(agentStream) error { return status.Error(codes.Aborted, "replaced") })
		s.start()
		var marks landmark.Set
		marks.Loop("main loop", time.Second)
		var log bytes.Buffer
		agent := startAgent(t, &marks, s, &log)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := s.dialled(); n != 1 {
			t.Errorf("%d dials, want no second one", n)
		}
		if got := log.String(); !strings.Contains(got, "its own instance name") {
			t.Errorf("the log does not say what to do:\n%s", got)
		}
		closeAgent(t, agent)
	})
}

// A sidecar that does not read, being paused, costs the program neither memory
// nor time; the main loop goes on being asked; and when the sidecar wakes up it
// soon hears the present state.
func TestAgentWithPausedSidecar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{})
		var j journal
		s := newSidecar(t, func(stream agentStream) error {
			<-wake
			return j.take(stream)
		})
		s.start()
		var marks landmark.Set
		busy := marks.Alive("busy", time.Second)
		loop := marks.Loop("main loop", 100*time.Millisecond)
		hung := make(chan struct{})
		go func() { defer close(hung); answerUntilWedged(loop, 2*time.Hour) }()
		agent := startAgent(t, &marks, s, io.Discard)

		memory := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		time.Sleep(10 * time.Minute) // by now gRPC's window is full
		before := memory()
		time.Sleep(time.Hour)
		if after := memory(); after > before+64<<10 {
			t.Errorf("memory grew by %d KiB in an hour", (after-before)>>10)
		}
		busy.Reach()
		if r := collector.Of(&marks).Landmarks()[1].Sample(time.Now()); r.Age > 50*time.Millisecond || r.Count < 100_000 {
			t.Errorf("the main loop was asked too seldom: %+v", r)
		}

		close(wake)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		r := j.last().GetReport()
		if !r.Facts[0].Reached || r.Facts[1].AgeUs > 50_000 {
			t.Errorf("after waking up the sidecar hears only of an older state: %v", r.Facts)
		}
		closeAgent(t, agent)
		<-hung
	})
}

func TestCloseIsBounded(t *testing.T) {
	tests := []struct {
		name   string
		handle func(agentStream) error
		after  time.Duration
	}{
		{"paused", paused, time.Minute},
		{"paused until Send blocks", paused, 30 * time.Minute},
		{"deaf to the goodbye", deaf, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSidecar(t, tt.handle)
				s.start()
				var marks landmark.Set
				marks.Alive("a", 100*time.Millisecond)
				agent := startAgent(t, &marks, s, io.Discard)
				time.Sleep(tt.after)
				asked := time.Now()
				if err := agent.Close(); err == nil {
					t.Error("Close() = nil, though the goodbye was not taken")
				}
				if d := time.Since(asked); d != closeTimeout {
					t.Errorf("Close took %v", d)
				}
			})
		})
	}
}

// paused reads nothing.
func paused(stream agentStream) error {
	<-stream.Context().Done()
	return nil
}

// deaf reads everything and ends nothing.
func deaf(stream agentStream) error {
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			<-stream.Context().Done()
			return nil
		} else if err != nil {
			return err
		}
	}
}

// While a connection is being made there is nobody to say goodbye to.
func TestCloseWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSidecar(t, nil)
		s.conns = nil
		var marks landmark.Set
		agent := startAgent(t, &marks, s, io.Discard)
		time.Sleep(10 * time.Second)
		asked := time.Now()
		closeAgent(t, agent)
		if d := time.Since(asked); d != 0 {
			t.Errorf("Close took %v", d)
		}
	})
}

// A question from the sidecar travels to the main loop and back.
func TestAgentAnswersGetState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answered := make(chan uint64, 1)
		s := newSidecar(t, func(stream agentStream) error {
			for asked := false; ; {
				m, err := stream.Recv()
				if err != nil {
					return err
				}
				if m.GetReport() != nil && !asked {
					asked = true
					stream.Send(getState(1))
				}
				if n := m.GetReport().GetAnswered(); n != 0 {
					answered <- n
					<-stream.Context().Done()
					return nil
				}
			}
		})
		s.start()
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Hour)
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case answer := <-loop.C():
					time.Sleep(3 * time.Millisecond)
					answer()
				case <-stop:
					return
				}
			}
		}()
		asked := time.Now()
		agent := startAgent(t, &marks, s, io.Discard)
		if n := <-answered; n != 1 {
			t.Errorf("answered = %d, want 1", n)
		}
		if d := time.Since(asked); d != 3*time.Millisecond {
			t.Errorf("the answer took %v, want the loop's 3ms", d)
		}
		close(stop)
		agent.abort()
		agent.Close()
	})
}

// A drain is told at once, and again to a sidecar that is started anew; it is no
// goodbye.
func TestAgentDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		s := newSidecar(t, j.take)
		s.start()
		var marks landmark.Set
		marks.Alive("a", time.Minute)
		agent := startAgent(t, &marks, s, io.Discard)
		draining := func(what string, want bool) {
			t.Helper()
			synctest.Wait()
			if r := j.last().GetReport(); r == nil || r.Draining != want {
				t.Errorf("%s: %v, want draining %t", what, j.last(), want)
			}
		}
		draining("started", false)
		agent.Drain()
		agent.Drain()
		draining("drained", true)
		if got := j.kinds(); got != "HDRR" {
			t.Errorf("the agent said %q, want HDRR", got)
		}
		time.Sleep(time.Minute + time.Millisecond) // between two reports
		j.clear()
		s.restart()
		draining("sidecar restarted", true)
		if got := j.kinds(); got != "HDR" {
			t.Errorf("the agent said %q to a restarted sidecar, want HDR", got)
		}
		s.stop()
		agent.Resume()
		s.start()
		time.Sleep(time.Second)
		draining("resumed while there was no sidecar", false)
		agent.Drain()
		closeAgent(t, agent)
		if got := j.kinds(); !strings.HasSuffix(got, "RG") {
			t.Errorf("at the end the agent had said %q, want one goodbye", got)
		}
		agent.Resume() // of no effect, and harmless
	})
}

// Close ends what the agent asks, and waits for it, but not for ever.
func TestCloseEndsAsking(t *testing.T) {
	const cleanUp = 200 * time.Millisecond
	var forever chan struct{} // each test's own
	tests := []struct {
		name  string
		check func(context.Context) error
		want  time.Duration // that Close takes
	}{
		{"idle", func(context.Context) error { return nil }, 0},
		{"cleans up", func(ctx context.Context) error { <-ctx.Done(); time.Sleep(cleanUp); return ctx.Err() }, cleanUp},
		{"hangs", func(context.Context) error { <-forever; return nil }, closeTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				forever = make(chan struct{})
				defer close(forever)
				var j journal
				s := newSidecar(t, j.take)
				s.start()
				var calls atomic.Int64
				var marks landmark.Set
				marks.Condition("db", landmark.Check(10*time.Millisecond, time.Hour, func(ctx context.Context) error {
					calls.Add(1)
					return tt.check(ctx)
				}))
				marks.Level("queue", landmark.Above(1, 2), landmark.Poll(func() float64 { calls.Add(1); return 0 }))
				agent := startAgent(t, &marks, s, io.Discard)
				time.Sleep(time.Minute)
				asked := time.Now()
				closeAgent(t, agent)
				if d := time.Since(asked); d != tt.want {
					t.Errorf("Close took %v, want %v", d, tt.want)
				}
				before := calls.Load()
				time.Sleep(time.Minute)
				if after := calls.Load(); after != before {
					t.Errorf("%d calls after Close", after-before)
				}
			})
		})
	}
}
