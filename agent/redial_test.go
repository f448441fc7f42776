package agent

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/agent/landmark"
)

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
