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

// A recorder is the stream handler of a sidecar. It keeps the messages of the agent.
type recorder struct {
	mu       sync.Mutex // guards messages
	messages []*reportv1.StreamRequest
}

// handle welcomes the agent and records its messages.
func (r *recorder) handle(stream agentStream) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.messages = append(r.messages, m)
		r.mu.Unlock()
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

// kinds returns the first letters of the messages so far: H, D, R, G.
func (r *recorder) kinds() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var kinds strings.Builder
	for _, m := range r.messages {
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

func (r *recorder) first() *reportv1.StreamRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.messages[0]
}

func (r *recorder) last() *reportv1.StreamRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.messages[len(r.messages)-1]
}

func (r *recorder) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = nil
}

// startAgent starts an agent that reports to the sidecar s and logs to log.
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

func TestAgentSendsHelloDeclarationReportsGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		s := newSidecar(t, r.handle)
		s.start()
		var marks landmark.Set
		marks.Alive("a", time.Second)
		agent := startAgent(t, &marks, s, io.Discard)
		synctest.Wait()
		if got := r.kinds(); got != "HDR" {
			t.Errorf("at once: messages %q, want HDR", got)
		}
		hello := r.first().GetHello()
		if hello.Service != "epg" || hello.Instance != "a" {
			t.Errorf("hello = %v, want service epg and instance a", hello)
		}
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		if got := r.kinds(); got != "HDRRRRR" {
			t.Errorf("after a second: messages %q, want HDRRRRR", got)
		}
		closeAgent(t, agent)
		if got := r.kinds(); !strings.HasSuffix(got, "RG") {
			t.Errorf("after Close: messages %q, want one goodbye at the end", got)
		}
		closeAgent(t, agent)
	})
}

func TestAgentDialsUntilSidecarStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		s := newSidecar(t, r.handle)
		var marks landmark.Set
		marks.Alive("a", time.Second)
		var log bytes.Buffer
		agent := startAgent(t, &marks, s, &log)

		time.Sleep(time.Hour)
		synctest.Wait()
		if n := s.dialled(); n < 3600/0.6 || n > 3600/0.4+10 {
			t.Errorf("%d dials in an hour, want one every 400 to 600 ms", n)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("one error was logged %d times, want once:\n%s", n, log.String())
		}
		s.start()
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		if got := r.kinds(); !strings.HasPrefix(got, "HDR") {
			t.Errorf("messages to a late sidecar %q, want HDR…", got)
		}
		closeAgent(t, agent)
	})
}

// A restarted sidecar receives the whole state at once.
func TestAgentRedialsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		s := newSidecar(t, r.handle)
		s.start()
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Second)
		go answerFor(loop, time.Minute)
		var log bytes.Buffer
		agent := startAgent(t, &marks, s, &log)
		for range 3 {
			time.Sleep(time.Minute + time.Millisecond) // between two reports
			synctest.Wait()
			r.clear()
			s.restart()
			synctest.Wait()
			if got := r.kinds(); !strings.HasPrefix(got, "HDR") {
				t.Fatalf("messages to a restarted sidecar %q, want HDR… at once", got)
			}
		}
		// The loop has hung for two minutes. The new session must report that.
		f := r.last().GetReport().Facts[0]
		if age := time.Duration(f.AgeUs) * time.Microsecond; !f.Open || age < 2*time.Minute {
			t.Errorf("loop that hangs for 2 min: reported %v", f)
		}
		if n := strings.Count(log.String(), "\n"); n != 7 {
			t.Errorf("%d log lines, want 7 for 4 welcomes and 3 disconnections:\n%s", n, log.String())
		}
		closeAgent(t, agent)
	})
}

// answerFor is a main loop that works for the time d and then hangs.
func answerFor(loop *landmark.Loop, d time.Duration) {
	hang := time.After(d)
	for {
		select {
		case answer := <-loop.C():
			answer()
		case <-hang:
			return
		}
	}
}

// A sidecar that welcomes and hangs up does not make the agent spin.
func TestAgentBacksOffAfterWelcome(t *testing.T) {
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
			t.Errorf("%d dials in a minute, want at most 160", n)
		}
		closeAgent(t, agent)
	})
}

func TestAgentRetriesSlowlyWhenRefused(t *testing.T) {
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
					t.Errorf("%d dials in a minute, want about one every 5 s", n)
				}
				if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "not you") {
					t.Errorf("log, want one line with the error:\n%s", got)
				}
				closeAgent(t, agent)
			})
		})
	}
}

func TestAgentStopsWhenReplaced(t *testing.T) {
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
			t.Errorf("%d dials, want 1", n)
		}
		if got := log.String(); !strings.Contains(got, "its own instance name") {
			t.Errorf("the log does not say what to do:\n%s", got)
		}
		closeAgent(t, agent)
	})
}

// A stopped sidecar costs the program neither memory nor time. The main loop still
// receives commands. When the sidecar continues, it soon receives the current state.
func TestAgentWithStoppedSidecar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resume := make(chan struct{})
		var r recorder
		s := newSidecar(t, func(stream agentStream) error {
			<-resume
			return r.handle(stream)
		})
		s.start()
		var marks landmark.Set
		busy := marks.Alive("busy", time.Second)
		loop := marks.Loop("main loop", 100*time.Millisecond)
		hung := make(chan struct{})
		go func() { defer close(hung); answerFor(loop, 2*time.Hour) }()
		agent := startAgent(t, &marks, s, io.Discard)

		memory := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		time.Sleep(10 * time.Minute) // gRPC's window is full by then
		before := memory()
		time.Sleep(time.Hour)
		if after := memory(); after > before+64<<10 {
			t.Errorf("memory grew by %d KiB in an hour, want at most 64", (after-before)>>10)
		}
		busy.Reach()
		if s := collector.Of(&marks).Landmarks()[1].Sample(time.Now()); s.Age > 50*time.Millisecond || s.Count < 100_000 {
			t.Errorf("the main loop received too few commands: %+v", s)
		}

		close(resume)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		report := r.last().GetReport()
		if !report.Facts[0].Reached || report.Facts[1].AgeUs > 50_000 {
			t.Errorf("the sidecar continues: latest report %v, want the current state", report.Facts)
		}
		closeAgent(t, agent)
		<-hung
	})
}

func TestCloseTimesOut(t *testing.T) {
	tests := []struct {
		name   string
		handle func(agentStream) error
		after  time.Duration
	}{
		{"sidecar stopped", readNothing, time.Minute},
		{"sidecar stopped until Send blocks", readNothing, 30 * time.Minute},
		{"goodbye ignored", ignoreGoodbye, time.Minute},
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
				start := time.Now()
				if err := agent.Close(); err == nil {
					t.Error("Close() = nil, want an error because the goodbye is not confirmed")
				}
				if d := time.Since(start); d != closeTimeout {
					t.Errorf("Close took %v, want %v", d, closeTimeout)
				}
			})
		})
	}
}

// readNothing is a handler that reads nothing.
func readNothing(stream agentStream) error {
	<-stream.Context().Done()
	return nil
}

// ignoreGoodbye is a handler that reads everything and does not end the stream.
func ignoreGoodbye(stream agentStream) error {
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			<-stream.Context().Done()
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Without a connection, Close does not wait.
func TestCloseWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSidecar(t, nil)
		s.conns = nil
		var marks landmark.Set
		agent := startAgent(t, &marks, s, io.Discard)
		time.Sleep(10 * time.Second)
		start := time.Now()
		closeAgent(t, agent)
		if d := time.Since(start); d != 0 {
			t.Errorf("Close took %v, want 0", d)
		}
	})
}

func TestAgentAnswersGetState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answered := make(chan uint64, 1)
		s := newSidecar(t, func(stream agentStream) error {
			for requested := false; ; {
				m, err := stream.Recv()
				if err != nil {
					return err
				}
				if m.GetReport() != nil && !requested {
					requested = true
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
		start := time.Now()
		agent := startAgent(t, &marks, s, io.Discard)
		if n := <-answered; n != 1 {
			t.Errorf("answered = %d, want 1", n)
		}
		if d := time.Since(start); d != 3*time.Millisecond {
			t.Errorf("the answer took %v, want the loop's 3ms", d)
		}
		close(stop)
		agent.abort()
		agent.Close()
	})
}

// A drain is reported at once, and again to a restarted sidecar. It is not a goodbye.
func TestAgentReportsDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		s := newSidecar(t, r.handle)
		s.start()
		var marks landmark.Set
		marks.Alive("a", time.Minute)
		agent := startAgent(t, &marks, s, io.Discard)
		draining := func(event string, want bool) {
			t.Helper()
			synctest.Wait()
			if report := r.last().GetReport(); report == nil || report.Draining != want {
				t.Errorf("%s: last message %v, want draining %t", event, r.last(), want)
			}
		}
		draining("started", false)
		agent.Drain()
		agent.Drain()
		draining("drained", true)
		if got := r.kinds(); got != "HDRR" {
			t.Errorf("messages %q, want HDRR", got)
		}
		time.Sleep(time.Minute + time.Millisecond) // between two reports
		r.clear()
		s.restart()
		draining("sidecar restarted", true)
		if got := r.kinds(); got != "HDR" {
			t.Errorf("messages to a restarted sidecar %q, want HDR", got)
		}
		s.stop()
		agent.Resume()
		s.start()
		time.Sleep(time.Second)
		draining("resumed without a sidecar", false)
		agent.Drain()
		closeAgent(t, agent)
		if got := r.kinds(); !strings.HasSuffix(got, "RG") {
			t.Errorf("after Close: messages %q, want one goodbye at the end", got)
		}
		agent.Resume() // no effect
	})
}

// Close stops the calls of the program's functions. It waits for a running call, but
// not forever.
func TestCloseStopsPolling(t *testing.T) {
	const cleanup = 200 * time.Millisecond
	var forever chan struct{} // one for each test
	tests := []struct {
		name  string
		check func(context.Context) error
		want  time.Duration // that Close takes
	}{
		{"idle", func(context.Context) error { return nil }, 0},
		{"cleans up", func(ctx context.Context) error { <-ctx.Done(); time.Sleep(cleanup); return ctx.Err() }, cleanup},
		{"hangs", func(context.Context) error { <-forever; return nil }, closeTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				forever = make(chan struct{})
				defer close(forever)
				var r recorder
				s := newSidecar(t, r.handle)
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
				start := time.Now()
				closeAgent(t, agent)
				if d := time.Since(start); d != tt.want {
					t.Errorf("Close took %v, want %v", d, tt.want)
				}
				before := calls.Load()
				time.Sleep(time.Minute)
				if after := calls.Load(); after != before {
					t.Errorf("%d calls after Close, want 0", after-before)
				}
			})
		})
	}
}
