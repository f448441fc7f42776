package sidecar

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A manager receives notifications, as systemd does.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

// newManager sets the environment for a service with the watchdog's timeout.
func newManager(t *testing.T, watchdog time.Duration) manager {
	t.Helper()
	address := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", address)
	t.Setenv("WATCHDOG_USEC", strconv.FormatInt(watchdog.Microseconds(), 10))
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	return manager{t, conn}
}

// next returns the lines of the next notification.
func (m manager) next() []string {
	m.t.Helper()
	message := make([]byte, 4096)
	m.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	n, err := m.conn.Read(message)
	if err != nil {
		m.t.Fatal(err)
	}
	return strings.Split(string(message[:n]), "\n")
}

// want checks the next notification.
func (m manager) want(lines ...string) {
	m.t.Helper()
	if got := m.next(); !slices.Equal(got, lines) {
		m.t.Errorf("got %q, want %q", got, lines)
	}
}

// skip returns the next notification that is not WATCHDOG=1 alone.
func (m manager) skip() []string {
	for {
		if lines := m.next(); !slices.Equal(lines, []string{"WATCHDOG=1"}) {
			return lines
		}
	}
}

// runSidecar runs the sidecar until stop is called.
func runSidecar(t *testing.T, s *Sidecar) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func TestServiceManagerIsNotified(t *testing.T) {
	m := newManager(t, time.Second)
	file := filepath.Join(t.TempDir(), "landmarkd.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("services:\n  epg:\n")
	s, err := New(Config{File: file, Monitor: "127.0.0.1:0", ServiceManager: true, DrainOnStop: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	stop := runSidecar(t, s)
	m.want("READY=1")
	for range 2 {
		m.want("WATCHDOG=1")
	}

	reloaded := func() (ready []string) {
		t.Helper()
		err := s.Reload()
		began := m.skip()
		if len(began) != 2 || began[0] != "RELOADING=1" || !strings.HasPrefix(began[1], "MONOTONIC_USEC=") {
			t.Errorf("reload: got %q, want RELOADING=1 with its time", began)
		}
		ready = m.skip()
		if (err != nil) != (len(ready) == 2 && ready[1] != "STATUS=") {
			t.Errorf("reload: got %q after the error %v", ready, err)
		}
		return ready
	}
	write("nonsense")
	if got := reloaded(); got[0] != "READY=1" || !strings.HasPrefix(got[1], "STATUS=the new configuration is wrong, so the old one stays: ") {
		t.Errorf("a wrong file: got %q", got)
	}
	write("services:\n  epg:\n")
	if got := reloaded(); !slices.Equal(got, []string{"READY=1", "STATUS="}) {
		t.Errorf("a right file: got %q", got)
	}

	stop()
	if got := m.skip(); !slices.Equal(got, []string{"STOPPING=1", "STATUS=draining all services for 100ms before stopping"}) {
		t.Errorf("at the end: got %q", got)
	}
}

// The watchdog gets nothing while one of the loops does not turn.
func TestWatchdogNeedsEachTurn(t *testing.T) {
	m := newManager(t, time.Second)
	dir := t.TempDir()
	s, err := New(Config{
		AgentSocket: filepath.Join(dir, "agent.sock"), NotifySocket: filepath.Join(dir, "notify.sock"), AdminSocket: filepath.Join(dir, "admin.sock"),
		Monitor: "127.0.0.1:0", Line: "127.0.0.1:0", GRPC: "127.0.0.1:0", ServiceManager: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, turn := range s.turns {
		names = append(names, turn.name)
	}
	want := []string{"clock", "registry", "listener of agents", "receiver of notifications", "listener of operators",
		"UDP server of the monitoring protocol", "TCP server of the monitoring protocol", "listener of line clients", "listener of gRPC clients"}
	if !slices.Equal(names, want) {
		t.Errorf("got the loops %q, want %q", names, want)
	}
	var hangs, breaks atomic.Bool
	s.turns = append(s.turns, turn{"last", func(ctx context.Context) error {
		switch {
		case hangs.Load():
			<-ctx.Done()
			return ctx.Err()
		case breaks.Load():
			return errors.New("broken")
		}
		return nil
	}})
	defer runSidecar(t, s)()
	m.want("READY=1")
	m.want("WATCHDOG=1")
	for _, tt := range []struct {
		failing *atomic.Bool
		status  string
	}{
		{&hangs, "STATUS=the last does not work: it did not answer within 500ms"},
		{&breaks, "STATUS=the last does not work: broken"},
	} {
		tt.failing.Store(true)
		if got := m.skip(); !slices.Equal(got, []string{tt.status}) {
			t.Errorf("got %q, want %q", got, tt.status)
		}
		for range 2 {
			m.want(tt.status)
		}
		tt.failing.Store(false)
		for got := m.next(); !slices.Equal(got, []string{"WATCHDOG=1", "STATUS="}); got = m.next() {
			if !slices.Equal(got, []string{tt.status}) {
				t.Fatalf("after the hang: got %q", got)
			}
		}
		m.want("WATCHDOG=1")
	}
}

// A sidecar that is no service of its own reports nothing.
func TestServiceManagerIsOffByDefault(t *testing.T) {
	m := newManager(t, time.Second)
	s, err := New(Config{Monitor: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	runSidecar(t, s)()
	m.conn.SetReadDeadline(time.Now())
	if n, err := m.conn.Read(make([]byte, 100)); err == nil {
		t.Errorf("got %d bytes", n)
	}
}
