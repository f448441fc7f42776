package agent

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/hostclock"
)

// A manager records the notifications of a reporter, as systemd with WatchdogSec= would
// receive them.
type manager struct {
	got []notification // during the latest call of after

	mu   sync.Mutex // guards the fields below
	sent []notification
	err  error // of each notification
}

type notification struct {
	at    time.Time
	lines string
}

// runManaged runs a reporter without a sidecar until the test ends.
func runManaged(t *testing.T, marks *landmark.Set, watchdog time.Duration) *manager {
	m := &manager{}
	r := newReporter(marks, slog.New(slog.DiscardHandler))
	r.manager = m.report(slog.New(slog.DiscardHandler), watchdog)
	background(t, func() { r.run(t.Context()) })
	return m
}

func (m *manager) report(logger *slog.Logger, watchdog time.Duration) *managerReport {
	return &managerReport{
		send: func(lines ...string) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.err == nil {
				m.sent = append(m.sent, notification{time.Now(), strings.Join(lines, "\n")})
			}
			return m.err
		},
		interval: watchdog / 2,
		logger:   logger,
		judged:   judged{origin: time.Now()},
	}
}

// after passes the time and returns what was sent since the previous call.
func (m *manager) after(d time.Duration) []string {
	time.Sleep(d)
	synctest.Wait()
	m.got = m.take()
	var lines []string
	for _, n := range m.got {
		lines = append(lines, n.lines)
	}
	return lines
}

// take returns what was sent since the previous call.
func (m *manager) take() []notification {
	m.mu.Lock()
	defer m.mu.Unlock()
	sent := m.sent
	m.sent = nil
	return sent
}

func (m *manager) setError(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// alive counts the notifications that contain WATCHDOG=1.
func alive(sent []string) (n int) {
	for _, lines := range sent {
		if slices.Contains(strings.Split(lines, "\n"), "WATCHDOG=1") {
			n++
		}
	}
	return n
}

func TestReadyOnceEachLandmarkIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Second)
		database := marks.Condition("database")
		marks.Alive("not for readiness", time.Second, landmark.Degrading)
		m := runManaged(t, &marks, 3*time.Second)
		if got, want := m.after(time.Minute)[0], "STATUS=main loop has not been reached yet, created 0 ms ago"; got != want {
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

// A program that is idle is spared: each WATCHDOG=1 comes when half of the time has
// passed.
func TestWatchdogOfAnIdleLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		serve(t, marks.Loop("main loop", time.Second))
		m := runManaged(t, &marks, 3200*time.Millisecond) // half of it is no multiple of the reports' interval
		m.after(time.Hour)
		if len(m.got) < 2250 {
			t.Fatalf("got %d notifications in an hour, want 2250", len(m.got))
		}
		for i, n := range m.got[2:] {
			if gap := n.at.Sub(m.got[i+1].at); n.lines != "WATCHDOG=1" || gap != 1600*time.Millisecond {
				t.Fatalf("got %q after %v, want WATCHDOG=1 after 1.6s", n.lines, gap)
			}
		}
	})
}

// A loop that hangs gets no WATCHDOG=1 from the moment at which its landmark fails. When
// it continues, it gets one at once.
func TestNoWatchdogWhileTheLoopHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Second)
		served, hang := context.WithCancel(t.Context())
		defer hang()
		background(t, func() {
			for served.Err() == nil {
				select {
				case answer := <-loop.C():
					answer()
				case <-served.Done():
				}
			}
		})
		m := runManaged(t, &marks, 3*time.Second)
		m.after(10 * time.Second)
		hang()
		hung := time.Now()
		m.after(time.Minute)
		for _, n := range m.got {
			if strings.Contains(n.lines, "WATCHDOG=1") && n.at.Sub(hung) > 1250*time.Millisecond {
				t.Errorf("got %q %v after the loop hung", n.lines, n.at.Sub(hung))
			}
		}
		last := m.got[len(m.got)-1].lines
		if !strings.HasPrefix(last, "STATUS=main loop last answered 5") || !strings.HasSuffix(last, " s ago, allowed 1 s") {
			t.Errorf("the last status is %q, want the reason with its age", last)
		}
		if n := len(m.got); n > 45 {
			t.Errorf("got %d notifications in a minute, want one in 1.5 s", n)
		}
		continued := time.Now()
		serve(t, loop)
		m.after(5 * time.Second)
		if len(m.got) == 0 || !strings.HasPrefix(m.got[0].lines, "WATCHDOG=1") || m.got[0].at.Sub(continued) > 10*time.Millisecond {
			t.Errorf("the loop continued at %v: got %v, want WATCHDOG=1 at once", continued, m.got)
		}
		if !slices.ContainsFunc(m.got, func(n notification) bool { return strings.HasSuffix(n.lines, "STATUS=") }) {
			t.Errorf("got %v, want the status removed", m.got)
		}
	})
}

// Only a critical landmark that fails withholds WATCHDOG=1.
func TestWatchdogByKindAndImpact(t *testing.T) {
	for name, tt := range map[string]struct {
		declare func(*landmark.Set) (fail func())
		alive   bool
		status  string
	}{
		"alive": {func(s *landmark.Set) func() {
			s.Alive("worker", time.Second).Reach()
			return func() {}
		}, false, "worker last passed"},
		"alive, for readiness": {func(s *landmark.Set) func() {
			s.Alive("worker", time.Second, landmark.Readiness).Reach()
			return func() {}
		}, true, ""},
		"deadline": {func(s *landmark.Set) func() {
			d := s.Deadline("request", time.Second)
			return func() { d.Begin() }
		}, false, "request began"},
		"deadline without work": {func(s *landmark.Set) func() {
			s.Deadline("request", time.Second)
			return func() {}
		}, true, ""},
		"level": {func(s *landmark.Set) func() {
			l := s.Level("queue", landmark.Above(10, 20))
			l.Set(1)
			return func() { l.Set(30) }
		}, true, ""},
		"level, critical": {func(s *landmark.Set) func() {
			l := s.Level("queue", landmark.Above(10, 20), landmark.Critical)
			l.Set(1)
			return func() { l.Set(30) }
		}, false, "queue is 30, fails at 20"},
		"condition": {func(s *landmark.Set) func() {
			c := s.Condition("database")
			c.Set(true, "")
			return func() { c.Set(false, "away") }
		}, true, ""},
		"condition, critical": {func(s *landmark.Set) func() {
			c := s.Condition("database", landmark.Critical)
			c.Set(true, "")
			return func() { c.Set(false, "away") }
		}, false, "database does not hold: away"},
		"never reached in time": {func(s *landmark.Set) func() {
			return func() { s.Alive("late", time.Minute, landmark.StartWithin(time.Second)) }
		}, false, "late was never reached"},
		"declared later": {func(s *landmark.Set) func() {
			return func() { s.Alive("late", time.Minute) }
		}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var marks landmark.Set
				serve(t, marks.Loop("main loop", time.Second))
				fail := tt.declare(&marks)
				m := runManaged(t, &marks, 3*time.Second)
				if got := m.after(100 * time.Millisecond); alive(got) != 1 {
					t.Fatalf("healthy: got %q, want one WATCHDOG=1", got)
				}
				fail()
				time.Sleep(3 * time.Second)
				got := m.after(10 * time.Second)
				if n := alive(got); tt.alive && n < 6 || !tt.alive && n > 0 {
					t.Errorf("failing: got %d WATCHDOG=1 in 10 s", n)
				}
				if tt.status != "" && (len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "STATUS="+tt.status)) {
					t.Errorf("got %q, want the reason %q", got, tt.status)
				}
			})
		})
	}
}

// Only an Alive or a Loop proves that the program is alive. The others are healthy while
// it does nothing.
func TestNoWatchdogWithoutProof(t *testing.T) {
	for name, declare := range map[string]func(*landmark.Set){
		"not critical":       func(s *landmark.Set) { s.Alive("worker", time.Hour, landmark.Readiness).Reach() },
		"deadline":           func(s *landmark.Set) { s.Deadline("request", time.Second) },
		"condition":          func(s *landmark.Set) { s.Condition("database", landmark.Critical).Set(true, "") },
		"level":              func(s *landmark.Set) { s.Level("queue", landmark.Above(10, 20), landmark.Critical).Set(1) },
		"level and deadline": func(s *landmark.Set) { s.Level("queue", landmark.Above(1, 2)); s.Deadline("request", time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var marks landmark.Set
				declare(&marks)
				var log bytes.Buffer
				m := &manager{}
				r := newReporter(&marks, slog.New(slog.DiscardHandler))
				r.manager = m.report(slog.New(slog.NewTextHandler(&log, nil)), 3*time.Second)
				background(t, func() { r.run(t.Context()) })
				got := m.after(time.Minute)
				if alive(got) > 0 || len(got) != 1 || !strings.HasPrefix(got[0], "READY=1\nSTATUS=nothing proves that the program is alive") {
					t.Errorf("got %q, want READY=1 with the reason, and no WATCHDOG=1", got)
				}
				if strings.Count(log.String(), "WatchdogSec=") != 1 {
					t.Errorf("the log does not say what to do, once:\n%s", log.String())
				}
			})
		})
	}
}

// A landmark that proves that the program is alive does so only once it was reached, also
// if it is declared after READY=1.
func TestNoWatchdogUntilTheProofIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		marks.Condition("configuration").Set(true, "")
		m := runManaged(t, &marks, 3*time.Second)
		m.after(time.Minute)
		worker := marks.Alive("worker", time.Minute)
		m.after(2 * time.Second)
		if got := m.after(time.Minute); alive(got) > 0 || len(got) == 0 || !strings.HasPrefix(got[0], "STATUS=worker has not been reached yet") {
			t.Errorf("never reached: got %q, want the reason, and no WATCHDOG=1", got)
		}
		worker.Reach()
		if got := m.after(30 * time.Second); alive(got) < 15 {
			t.Errorf("reached: got %q, want WATCHDOG=1", got)
		}
	})
}

// A service manager without a watchdog gets no WATCHDOG=1.
func TestNoWatchdogIfNoneIsExpected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		serve(t, marks.Loop("main loop", time.Second))
		m := runManaged(t, &marks, 0)
		if got := m.after(time.Hour); !slices.Equal(got, []string{
			"STATUS=main loop has not been reached yet, created 0 ms ago", "READY=1\nSTATUS=",
		}) {
			t.Errorf("got %q", got)
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
