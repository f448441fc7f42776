package agent

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/hostclock"
)

func TestReadyOnceEachLandmarkIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Second)
		database := marks.Condition("database")
		marks.Alive("not for readiness", time.Second, landmark.Degrading)
		m := runManaged(t, &marks, 3*time.Second)
		if got, want := m.after(time.Minute)[0], "STATUS=main loop has not been reached yet, declared 0 ms ago"; got != want {
			t.Errorf("first got %q, want %q", got, want)
		}
		serve(t, loop)
		if got := m.after(time.Minute); alive(got) > 0 || !strings.Contains(got[0], "STATUS=database has not been reached yet") {
			t.Errorf("without the database: got %q, want its reason and no WATCHDOG=1", got)
		}
		database.Set(false, "not there") // it was reached
		if got := m.after(time.Second); !slices.Equal(got, []string{"READY=1\nWATCHDOG=1\nSTATUS="}) {
			t.Errorf("got %q, want READY=1 once", got)
		}
	})
}

// What could not be sent is sent later.
func TestNotificationIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		serve(t, marks.Loop("main loop", time.Second))
		m := &manager{}
		m.setError(errors.New("full"))
		var log bytes.Buffer
		r := newReporter(&marks, slog.New(slog.DiscardHandler))
		r.manager = m.report(slog.New(slog.NewTextHandler(&log, nil)), 3*time.Second)
		background(t, func() { r.run(t.Context()) })
		m.after(time.Minute)
		m.setError(nil)
		if got := m.after(time.Second); len(got) != 1 || !strings.HasPrefix(got[0], "READY=1\nWATCHDOG=1") {
			t.Errorf("got %q, want READY=1 and WATCHDOG=1", got)
		}
		if n := strings.Count(log.String(), "not notified"); n != 1 {
			t.Errorf("%d log lines in a minute, want 1:\n%s", n, log.String())
		}
	})
}

// A level at its limit changes at every step.
func TestStatusRateIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		serve(t, marks.Loop("main loop", time.Second))
		queue := marks.Level("queue", landmark.Above(10, 20), landmark.Critical)
		background(t, func() {
			for n := 0; t.Context().Err() == nil; n++ {
				queue.Set(float64(n%2) * 30)
				time.Sleep(7 * time.Millisecond)
			}
		})
		m := runManaged(t, &marks, 3*time.Second)
		m.after(time.Second)
		if got := m.after(time.Minute); len(got) > 60+40 {
			t.Errorf("got %d notifications in a minute, want at most 60 statuses and 40 WATCHDOG=1", len(got))
		}
	})
}

// An agent that another process replaced does not report to the sidecar any more. Its
// main loop works all the same.
func TestReplacedAgentStillReportsToTheServiceManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSidecar(t, func(agentStream) error { return status.Error(codes.Aborted, "replaced") })
		s.start()
		var marks landmark.Set
		serve(t, marks.Loop("main loop", time.Second))
		m := &manager{}
		cfg, err := Config{Service: "epg", Landmarks: &marks, ServiceManager: true}.complete()
		if err != nil {
			t.Fatal(err)
		}
		a := newAgent(cfg, s.dial, hostclock.Clock{})
		a.reporter.manager = m.report(a.logger, 3*time.Second)
		a.start()
		time.Sleep(time.Minute)
		if n := alive(m.after(time.Minute)); n < 40 {
			t.Errorf("got %d WATCHDOG=1 in a minute after the replacement, want 40", n)
		}
		closeAgent(t, a)
		sent := m.take()
		if last := sent[len(sent)-1].lines; last != "STOPPING=1\nSTATUS=" {
			t.Errorf("at Close got %q", last)
		}
	})
}

// Start reads the environment that systemd sets.
func TestServiceManagerFromEnvironment(t *testing.T) {
	for _, tt := range []struct {
		name, pid string
		optIn     bool
		want      string // the notifications up to Close
	}{
		{"own watchdog", strconv.Itoa(os.Getpid()), true, "READY=1 WATCHDOG=1 STOPPING=1"},
		{"watchdog of another process", strconv.Itoa(os.Getppid()), true, "READY=1 STOPPING=1"},
		{"off", strconv.Itoa(os.Getpid()), false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := filepath.Join(t.TempDir(), "notify")
			conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			t.Setenv("NOTIFY_SOCKET", address)
			t.Setenv("WATCHDOG_USEC", "60000000")
			t.Setenv("WATCHDOG_PID", tt.pid)

			var marks landmark.Set
			serve(t, marks.Loop("main loop", time.Minute))
			a, err := Start(Config{Service: "epg", Landmarks: &marks, Socket: address + "-of-no-sidecar", ServiceManager: tt.optIn})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			receive := func(until string) {
				for tt.want != "" && !slices.Contains(got, until) {
					message := make([]byte, 4096)
					conn.SetReadDeadline(time.Now().Add(30 * time.Second))
					n, err := conn.Read(message)
					if err != nil {
						t.Fatal(err)
					}
					for _, line := range strings.Split(string(message[:n]), "\n") {
						if !strings.HasPrefix(line, "STATUS=") {
							got = append(got, line)
						}
					}
				}
			}
			receive("READY=1")
			closeAgent(t, a)
			receive("STOPPING=1")
			conn.SetReadDeadline(time.Now().Add(-time.Second))
			if n, err := conn.Read(make([]byte, 4096)); err == nil {
				t.Errorf("got %d bytes more", n)
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestOneAgentReportsToTheServiceManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	socket := filepath.Join(t.TempDir(), "agent.sock")
	config := func(service string) Config {
		return Config{Service: service, Landmarks: landmark.NewSet(), Socket: socket, ServiceManager: true}
	}
	first, err := Start(config("first"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(config("second")); err == nil || !strings.Contains(err.Error(), "ServiceManager") {
		t.Errorf("second agent: got %v, want an error that names the field", err)
	}
	closeAgent(t, first)
	second, err := Start(config("second"))
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	closeAgent(t, second)
}

// An environment that is wrong is logged. The program starts all the same.
func TestWrongServiceManagerIsLogged(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "not a path")
	var log bytes.Buffer
	if m := newManagerReport(slog.New(slog.NewTextHandler(&log, nil))); m != nil {
		t.Error("got a report, want none")
	}
	if !strings.Contains(log.String(), "NOTIFY_SOCKET") {
		t.Errorf("the log does not name the variable:\n%s", log.String())
	}
}
