package agents

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// socketOfParent is the environment variable with the path of the sidecar's socket,
// in a process that reports there and whose child inherits its connection.
const socketOfParent = "LANDMARK_STREAM_TEST_PARENT"

// TestParent is that process.
func TestParent(t *testing.T) {
	path := os.Getenv(socketOfParent)
	if path == "" {
		return // started by no test
	}
	a := dial(t, "unix:"+path, hello("epg", "a"), declaration(loop("main")), report(0, fact(0)))
	defer a.goOn()()
	// gRPC does not reveal its descriptor, so all sockets are inherited.
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

// A killed process whose child holds its connection open is lost, before it is stale.
func TestExitedProcessWithInheritedConnectionIsLost(t *testing.T) {
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
	if a.Cause != judge.Lost { // a silent process is stale after a while
		t.Errorf("after its process has exited the service is %v, %v", a.Status, a.Cause)
	}
	if err := syscall.Kill(child, 0); err != nil {
		t.Errorf("the child, which must hold the connection, is gone: %v", err)
	}
}

// What an exited process has sent is read before the end of its connection.
func TestShutReadKeepsUnreadData(t *testing.T) {
	conn, agent := pair(t, newConnections(registry.New(clock.New(), 0), slog.New(slog.DiscardHandler)))
	if _, err := agent.Write([]byte("goodbye")); err != nil {
		t.Fatal(err)
	}
	conn.shutRead()
	said, err := io.ReadAll(conn)
	if err != nil || string(said) != "goodbye" {
		t.Errorf("after shutRead %q was read, %v", said, err)
	}
}
