package agents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// socketOfParent has the path of a sidecar's socket in a process that reports
// there, and leaves its connection to a child.
const socketOfParent = "LANDMARK_STREAM_TEST_PARENT"

// TestParent is the process whose child inherits its connection.
func TestParent(t *testing.T) {
	path := os.Getenv(socketOfParent)
	if path == "" {
		return // started by no test
	}
	a := dial(t, "unix:"+path, hello("epg", "a"), declaration(loop("main")), report(0, fact(0)))
	defer a.goOn()()
	// The descriptors of sockets are found by trying: gRPC does not give its own.
	for fd := 3; fd < 64; fd++ {
		if kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE); err == nil && kind == syscall.SOCK_STREAM {
			syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFD, 0)
		}
	}
	child := exec.Command("sleep", "600")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("child %d\n", child.Process.Pid)
	io.Copy(io.Discard, os.Stdin) // until it is killed, or the test is
	child.Process.Kill()
}

// A process is killed, and its child holds its connection open: it is lost all
// the same, and before its silence counts.
func TestEndOfAProcessWhoseConnectionIsInherited(t *testing.T) {
	s := newSidecar(t)
	parent := exec.Command("/proc/self/exe", "-test.run=^TestParent$", "-test.v")
	parent.Env = append(os.Environ(), socketOfParent+"="+s.path)
	stdin, err := parent.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	for child == 0 {
		var line string
		if _, err := fmt.Fscanln(stdout, &line, &child); err == io.EOF {
			t.Fatal("the process did not start its child")
		}
	}
	defer syscall.Kill(child, syscall.SIGKILL)
	s.await("epg", judge.Serving, judge.None)
	news := s.registry.Subscribe([]byte("epg"))
	defer news.Close()
	parent.Process.Kill()
	parent.Wait()
	a := s.look("epg")
	for a.Status == judge.Serving {
		<-news.Changed()
		a = s.look("epg")
	}
	if a.Cause != judge.Lost { // and not stale, which every silence is after a while
		t.Errorf("when its process has ended the service is %v, %v", a.Status, a.Cause)
	}
	if err := syscall.Kill(child, 0); err != nil {
		t.Errorf("the child, which was to hold the connection, is gone: %v", err)
	}
}

// socketOfDialler has the path of a socket in a process that only dials it.
const socketOfDialler = "LANDMARK_STREAM_TEST_DIALLER"

// TestDialler is the process that dials.
func TestDialler(t *testing.T) {
	path := os.Getenv(socketOfDialler)
	if path == "" {
		return // started by no test
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, conn) // until it is killed, or the test is
}

// On each kernel a process is known by what that kernel has.
func TestProcessOfAConnection(t *testing.T) {
	for name, open := range map[string]func(fd int) (int, error){
		"its descriptor": openPidfd,
		"its number":     openPidfdByPID,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "socket")
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			dialler := exec.Command("/proc/self/exe", "-test.run=^TestDialler$")
			dialler.Env = append(os.Environ(), socketOfDialler+"="+path)
			if err := dialler.Start(); err != nil {
				t.Fatal(err)
			}
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			file, err := conn.(*net.UnixConn).File()
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			process, err := open(int(file.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(process)
			if hasExited(int32(process)) {
				t.Error("a living process has ended")
			}
			dialler.Process.Kill()
			dialler.Wait()
			if !hasExited(int32(process)) {
				t.Error("a killed process has not ended")
			}
			if again, err := open(int(file.Fd())); !errors.Is(err, unix.ESRCH) && !(err == nil && hasExited(int32(again))) {
				t.Errorf("once it was waited for the process is %d, %v", again, err)
			}
		})
	}
}

// What lies in the socket of a process that has ended is read before its end is
// taken note of.
func TestEndComesAfterWhatWasSaid(t *testing.T) {
	conn, agent := pair(t, newConnections(registry.New(clock.New(), 0), slog.New(slog.DiscardHandler)))
	if _, err := agent.Write([]byte("goodbye")); err != nil {
		t.Fatal(err)
	}
	conn.shutRead()
	said, err := io.ReadAll(conn)
	if err != nil || string(said) != "goodbye" {
		t.Errorf("after the end %q was read, %v", said, err)
	}
}

func TestEndsStop(t *testing.T) {
	e, err := newExitWatcher()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.run(ctx) }()
	time.AfterFunc(10*time.Millisecond, cancel)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
