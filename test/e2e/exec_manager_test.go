//go:build e2e

package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager is a service manager's notify socket.
type manager struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, path: filepath.Join(t.TempDir(), "systemd")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) })
	if err != nil {
		t.Fatal(err)
	}
	m.conn = conn
	return m
}

// receive returns the next notification, its sender, and the descriptors with it.
func (m *manager) receive() (notification string, pid int, fds []int) {
	m.t.Helper()
	data, control := make([]byte, 8192), make([]byte, 1024)
	m.conn.SetReadDeadline(time.Now().Add(testTimeout))
	n, c, _, _, err := m.conn.ReadMsgUnix(data, control)
	if err != nil {
		m.t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:c])
	if err != nil {
		m.t.Fatal(err)
	}
	for _, message := range messages {
		switch message.Header.Type {
		case unix.SCM_CREDENTIALS:
			if cred, err := unix.ParseUnixCredentials(&message); err == nil {
				pid = int(cred.Pid)
			}
		case unix.SCM_RIGHTS:
			rights, _ := unix.ParseUnixRights(&message)
			fds = append(fds, rights...)
		}
	}
	return string(data[:n]), pid, fds
}

// The service manager receives each notification from landmark exec itself, which it
// takes for the main process, with its descriptors. It need not be there.
func TestExecNotifiesServiceManager(t *testing.T) {
	parallel(t)
	debian(t, "systemd-notify", "systemd")
	e, m := newEnv(t), newManager(t)
	done := filepath.Join(t.TempDir(), "done")
	p := e.prepareExec("-service", "app", "sh", "-c", `
		echo "watchdog $WATCHDOG_USEC $(($WATCHDOG_PID - $$))" >&2
		systemd-notify --ready --status="a = b" --pid=$$
		systemd-notify RELOADING=1 MONOTONIC_USEC=1 X_OTHER=1
		systemd-notify --pid=$$ WATCHDOG=1
		systemd-notify X_LANDMARK_DRAIN=1
		systemd-notify STOPPING=1
		echo done >"$0"; exec sleep 600`, done)
	p.cmd.Env = append(p.cmd.Env, "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=20000000")
	p.startGroup()
	p.awaitLine("watchdog 20000000 0")
	for _, want := range []string{"READY=1\nSTATUS=a = b", "BARRIER=1", "RELOADING=1\nMONOTONIC_USEC=1\nX_OTHER=1", "BARRIER=1", "WATCHDOG=1", "BARRIER=1", "BARRIER=1", "STOPPING=1"} {
		got, pid, fds := m.receive()
		if strings.TrimSpace(got) != want || pid != p.cmd.Process.Pid {
			t.Errorf("the service manager received %q from %d, want %q from %d", got, pid, want, p.cmd.Process.Pid)
		}
		if barrier := want == "BARRIER=1"; (len(fds) == 1) != barrier {
			t.Errorf("%q came with the descriptors %v", got, fds)
		}
		if want == "STOPPING=1" {
			break // its barrier is held
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	if _, err := os.Stat(done); err == nil {
		t.Error("systemd-notify did not wait for the service manager to close the descriptor")
	}
	_, _, fds := m.receive()
	for _, fd := range fds {
		unix.Close(fd)
	}
	lines(t, done, 1)
	e.await(checkUDP, "app", "NOT_SERVING draining")
	m.conn.Close()
}

// The watchdog that landmark exec gives the program is a landmark. Only the program's own
// WATCHDOG=1 reaches it.
func TestExecWatchdog(t *testing.T) {
	parallel(t)
	debian(t, "systemd-notify", "systemd")
	e, m := newEnv(t), newManager(t)
	hang := filepath.Join(t.TempDir(), "hang")
	p := e.prepareExec("-service", "app", "-watchdog", "2s", "--", "sh", "-c", `
		echo "watchdog $WATCHDOG_USEC" >&2
		systemd-notify --ready
		while :; do
			while [ -e "$0" ]; do sleep 0.05; done
			systemd-notify --pid=$$ WATCHDOG=1
			sleep 0.1
		done`, hang)
	p.startGroup()
	p.awaitLine("watchdog 2000000")
	e.await(checkUDP, "app", "SERVING none")
	e.awaitStatus("app", `watchdog +alive +ok +critical +passed .* ago +allowed 2 s`)
	write(t, hang, "")
	e.await(checkUDP, "app", "NOT_SERVING stalled")
	if got := checkUDP(e, "app-liveness"); got != "NOT_SERVING stalled" {
		t.Errorf("liveness of a hung script: got %s", got)
	}
	// A landmarkd that knows nothing of it does not believe that it is ready.
	e.sidecar.kill()
	for _, file := range []string{"notify.json", "members.json"} {
		if err := os.Remove(filepath.Join(filepath.Dir(e.socket), file)); err != nil {
			t.Fatal(err)
		}
	}
	e.start()
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if got := checkUDP(e, "app"); strings.HasPrefix(got, "SERVING") {
			t.Fatalf("a hung script is %s after a restart", got)
		}
	}
	if err := os.Remove(hang); err != nil {
		t.Fatal(err)
	}
	e.await(checkUDP, "app", "SERVING none")

	// It cannot be longer than what the service manager waits for.
	p = e.prepareExec("-watchdog", "2s", "true")
	p.cmd.Env = append(p.cmd.Env, "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=1000000")
	p.startGroup()
	p.awaitLine("-watchdog 2s is longer than the 1s of the service manager")
	<-p.exited
	if code := p.cmd.ProcessState.ExitCode(); code != 125 {
		t.Errorf("exit code: got %d, want 125", code)
	}
}
