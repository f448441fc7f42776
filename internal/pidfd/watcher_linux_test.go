package pidfd

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// socketOfDialler is the environment variable with the path of a socket, in a process
// that only dials it.
const socketOfDialler = "LANDMARK_PIDFD_TEST_DIALLER"

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

// Both ways to open a pidfd, of new and of old kernels, find the process.
func TestPidfdOfAConnection(t *testing.T) {
	for name, open := range map[string]func(fd int) (int, error){
		"by socket": OfPeer,
		"by PID":    ofPeerByPID,
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
			if HasExited(process) {
				t.Error("a running process has exited")
			}
			dialler.Process.Kill()
			dialler.Wait()
			if !HasExited(process) {
				t.Error("a killed process has not exited")
			}
			if again, err := open(int(file.Fd())); !errors.Is(err, unix.ESRCH) && !(err == nil && HasExited(again)) {
				t.Errorf("after the parent has waited, opening the pidfd returns %d, %v", again, err)
			}
		})
	}
}

// running starts a process, and a watcher.
func running(t *testing.T) (*Watcher, *exec.Cmd) {
	t.Helper()
	w, err := New()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	process := exec.Command("sleep", "600")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Process.Kill(); process.Wait() })
	return w, process
}

func mustOpen(t *testing.T, process *exec.Cmd) int {
	t.Helper()
	fd, err := Open(process.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestWatchReportsExit(t *testing.T) {
	w, process := running(t)
	exited := make(chan struct{}, 2)
	x, err := w.Watch(mustOpen(t, process), func() { exited <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	if x.HasExited() {
		t.Error("a running process has exited")
	}
	process.Process.Kill() // it need not be waited for
	<-exited
	if !x.HasExited() {
		t.Error("a killed process has not exited")
	}
	x.Stop()
	x.Stop()

	late, err := w.Watch(mustOpen(t, process), func() { exited <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	<-exited // although it had exited before
	late.Stop()
}

func TestStoppedWatchReportsNothing(t *testing.T) {
	w, process := running(t)
	stopped, err := w.Watch(mustOpen(t, process), func() { t.Error("a stopped watch has reported") })
	if err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	stopped.Stop()
	if !stopped.HasExited() {
		t.Error("a stopped watch says that its process runs")
	}
	if _, err := w.Watch(mustOpen(t, process), func() { close(exited) }); err != nil { // the same descriptor
		t.Fatal(err)
	}
	process.Process.Kill()
	<-exited
}

func TestWatchClosesThePidfdOnError(t *testing.T) {
	w, err := New()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	w.poller.Close()
	if _, err := w.Watch(fd, func() {}); err == nil {
		t.Error("a closed watcher returns no error")
	}
	if err := unix.Close(fd); !errors.Is(err, unix.EBADF) {
		t.Errorf("closing the pidfd again: got %v, want EBADF", err)
	}
}
