package agent

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/collector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
		time.Sleep(10 * time.Minute)
		if after := memory(); after > before+64<<10 {
			t.Errorf("memory grew by %d KiB in ten minutes, want at most 64", (after-before)>>10)
		}
		busy.Reach()
		if s := collector.Of(&marks).Landmarks()[1].Sample(time.Now()); s.Age > 50*time.Millisecond || s.Count < 40_000 {
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
