package sdnotify

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/logtest"
	"github.com/landmark-health/landmark/internal/registry"
)

// server is a server that runs, in real time.
type server struct {
	*Server
	t        *testing.T
	registry *registry.Registry
	path     string // of the shared socket
	log      logtest.Buffer
	stop     func()
}

func start(t *testing.T, config Config) *server {
	t.Helper()
	c := clock.New()
	s := &server{t: t, registry: registry.New(c, 0), path: filepath.Join(t.TempDir(), "notify.sock")}
	config.Registry, config.Socket, config.Processes, config.PerUser = s.registry, s.path, 20, 20
	config.Logger = slog.New(slog.NewTextHandler(&s.log, nil))
	var err error
	if s.Server, err = New(config); err != nil {
		t.Fatal(err)
	}
	s.registry.BeginGrace()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- c.Run(ctx, func() bool { return true }) }()
	go func() { ended <- s.Run(ctx) }()
	s.stop = func() {
		t.Helper()
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		ended <- nil
		ended <- nil
	}
	t.Cleanup(s.stop)
	return s
}

// await waits until the answer about the service is the wanted one.
func (s *server) await(service, want string) {
	s.t.Helper()
	news := s.registry.Subscribe([]byte(service))
	defer news.Close()
	timeout := time.After(30 * time.Second)
	for {
		a, _ := s.registry.Lookup([]byte(service), 0)
		got := a.Cause.String()
		if a.Status == judge.Serving {
			got = serving
		}
		if got == want {
			return
		}
		select {
		case <-news.Changed():
		case <-timeout:
			s.t.Fatalf("%s is %s, want %s; the log is\n%s", service, got, want, s.log.String())
		}
	}
}

// sendTo sends a notification of this process.
func sendTo(t *testing.T, path, data string, fds ...int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var control []byte
	if len(fds) > 0 {
		control = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(fd, []byte(data), control, &unix.SockaddrUnix{Name: path}, 0); err != nil {
		t.Fatal(err)
	}
}

// toSend is the environment variable with the path of a socket and the lines that a
// process sends to it before it ends.
const toSend = "LANDMARK_SDNOTIFY_TEST_SEND"

// TestSender is that process. It is not waited for by itself, so it ends at once.
func TestSender(t *testing.T) {
	path, lines, ok := strings.Cut(os.Getenv(toSend), " ")
	if !ok {
		return // started by no test
	}
	for _, line := range strings.Split(lines, ";") {
		sendTo(t, path, "X_LANDMARK_SERVICE=child\n"+line)
		if line == "READY=1" {
			barrier(t, path)
		}
	}
	os.Exit(0)
}

// barrier waits until what was sent before is handled.
func barrier(t *testing.T, path string) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	sendTo(t, path, "BARRIER=1", int(w.Fd()))
	w.Close()
	if n, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("reading from the barrier: got %d bytes, %v", n, err)
	}
}

// runSender runs a process that sends the lines and ends, and waits for it.
func (s *server) runSender(lines string) {
	s.t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestSender$")
	cmd.Env = append(os.Environ(), toSend+"="+s.path+" "+lines)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

// What a process sends just before it ends is handled before its end.
func TestLastWordsAreHandledFirst(t *testing.T) {
	s := start(t, Config{})
	for range 2 { // with the race detector a process takes a second to start
		s.runSender("READY=1;STOPPING=1")
		s.await("child", "stopped")
		s.runSender("READY=1;STATUS=x")
		s.await("child", "lost")
	}
	for deadline := time.Now().Add(30 * time.Second); len(s.all()) > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d processes are known", len(s.all()))
		}
	}
}

// The end of the server changes nothing in the registry, and the next one goes on with
// its processes. What was sent before the end is handled.
func TestServerHandsOver(t *testing.T) {
	file := temporary(t)
	first := start(t, Config{File: file})
	own := filepath.Join(t.TempDir(), "own.sock")
	if err := first.Configure(map[string]Service{"own": {Socket: own, Watchdog: time.Hour}}); err != nil {
		t.Fatal(err)
	}
	sendTo(t, first.path, "X_LANDMARK_SERVICE=epg\nREADY=1\nX_LANDMARK_INSTANCE=one")
	sendTo(t, own, "READY=1")
	first.await("epg", serving)
	first.await("own", serving)
	sendTo(t, own, "STOPPING=1")
	first.stop()
	first.await("epg", serving)
	first.await("own", draining)
	for _, path := range []string{first.path, own} {
		if _, err := net.Dial("unixgram", path); err == nil {
			t.Errorf("%s still receives", path)
		}
	}
	second := start(t, Config{File: file})
	second.await("epg", serving)
	second.await("own", draining)
	if a, _ := second.registry.Lookup([]byte("epg"), 0); a.Status != judge.Serving {
		t.Errorf("the first answer is %v", a.Status)
	}
}

// A reload binds and closes sockets of services. A path that cannot be bound changes
// nothing.
func TestConfigureSockets(t *testing.T) {
	s := start(t, Config{})
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.sock"), filepath.Join(dir, "b.sock")
	configure := func(services map[string]Service) error { return s.Configure(services) }
	if err := configure(map[string]Service{"a": {Socket: a}, "none": {Watchdog: time.Second}}); err != nil {
		t.Fatal(err)
	}
	sendTo(t, a, "READY=1")
	s.await("a", serving)
	if err := configure(map[string]Service{"a": {Socket: a}, "b": {Socket: "/proc/b.sock"}}); err == nil || !strings.Contains(err.Error(), "services.b.notify_socket: /proc/b.sock: ") {
		t.Errorf("a path that cannot be bound: got %v", err)
	}
	if err := configure(map[string]Service{"b": {Socket: a}}); err == nil || !strings.Contains(err.Error(), "a.sock is the socket of the service a: remove it there") {
		t.Errorf("the path of another service: got %v", err)
	}
	if err := configure(map[string]Service{"b": {Socket: b}, "a": {}}); err != nil {
		t.Fatal(err)
	}
	sendTo(t, b, "READY=1")
	s.await("b", serving)
	if _, err := os.Lstat(a); err == nil {
		t.Error("the socket that is not configured any more is still there")
	}
	s.await("a", serving) // its process is still there
}

// No descriptor stays open, whatever comes.
func TestNoDescriptorStaysOpen(t *testing.T) {
	s := start(t, Config{})
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	sendTo(t, s.path, "X_LANDMARK_SERVICE=epg\nREADY=1")
	s.await("epg", serving)
	count := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before := count()
	for i := range 200 {
		fd := int(null.Fd())
		sendTo(t, s.path, fmt.Sprintf("X_LANDMARK_SERVICE=epg\nSTATUS=%d\nFDSTORE=1", i), fd, fd, fd)
		sendTo(t, s.path, "BARRIER=1", fd)
		sendTo(t, s.path, "garbage\x00", fd, fd)
		s.runSenderAt(i, "READY=1")
	}
	for deadline := time.Now().Add(30 * time.Second); !s.caughtUp() || len(s.all()) > 1; {
		if time.Now().After(deadline) {
			t.Fatalf("%d processes are known", len(s.all()))
		}
	}
	if after := count(); after != before {
		t.Errorf("open descriptors: got %d, want %d as before", after, before)
	}
}

// runSenderAt runs a sender in one of a hundred calls.
func (s *server) runSenderAt(i int, lines string) {
	if i%100 == 0 {
		s.runSender(lines)
	}
}

// All loops that receive turn, also while their sockets are bound again, added and
// removed. None turns while it hangs.
func TestReceiversTurn(t *testing.T) {
	s := start(t, Config{})
	own := filepath.Join(t.TempDir(), "own.sock")
	for i := range 5 {
		services := map[string]Service{"own": {Socket: own}}
		if i%2 == 1 {
			services = nil
		}
		if err := s.Configure(services); err != nil {
			t.Fatal(err)
		}
		if err := s.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	turned := make(chan error)
	os.Remove(own)
	go func() { turned <- s.Turn(t.Context()) }() // KeepBound binds it again within a second
	if err := <-turned; err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; runtime.Gosched() {
		if err := s.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(own); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the socket was not bound again")
		}
	}

	s.mu.Lock() // which each notification needs
	sendTo(t, own, "READY=1")
	for deadline := time.Now().Add(30 * time.Second); ; {
		soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := s.Turn(soon) // once more, until the notification is received
		cancel()
		if err == context.DeadlineExceeded {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("while one hangs: got %v, want %v", err, context.DeadlineExceeded)
		}
	}
	s.mu.Unlock()
	if err := s.Turn(t.Context()); err != nil {
		t.Error(err)
	}
}
