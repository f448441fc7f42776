package wrapper

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/rule"
	"github.com/landmark-health/landmark/internal/sdnotify"
)

const testTimeout = 30 * time.Second

// landmarkd receives what a sidecar sends.
type landmarkd struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

// bind binds the socket. Nothing reads it until receive does.
func (l *landmarkd) bind() {
	l.t.Helper()
	conn, err := sdnotify.Listen(l.path)
	if err != nil {
		l.t.Fatal(err)
	}
	l.conn = conn
	l.t.Cleanup(func() { conn.Close() })
}

func (l *landmarkd) unbind() {
	l.conn.Close()
	if err := os.Remove(l.path); err != nil {
		l.t.Fatal(err)
	}
}

// receive returns the next notification, without its header. It closes the descriptors
// that come with it.
func (l *landmarkd) receive() string {
	l.t.Helper()
	data, control := make([]byte, 2*sdnotify.MaxMessage), make([]byte, 1024)
	l.conn.SetReadDeadline(time.Now().Add(testTimeout))
	n, m, _, _, err := l.conn.ReadMsgUnix(data, control)
	if err != nil {
		l.t.Fatal(err)
	}
	messages, err := syscall.ParseSocketControlMessage(control[:m])
	if err != nil {
		l.t.Fatal(err)
	}
	for _, c := range messages {
		if c.Header.Type == syscall.SCM_RIGHTS {
			fds, _ := syscall.ParseUnixRights(&c)
			for _, fd := range fds {
				syscall.Close(fd)
			}
		}
	}
	text, ok := strings.CutPrefix(string(data[:n]), "X_LANDMARK_SERVICE=epg\nMAINPID=4711\n")
	if !ok && text != "BARRIER=1" {
		l.t.Errorf("a notification without its header: %q", text)
	}
	return strings.TrimSuffix(text, "\n")
}

// expect checks the next notification.
func (l *landmarkd) expect(want string) {
	l.t.Helper()
	if got := l.receive(); got != want {
		l.t.Errorf("landmarkd received %q, want %q", got, want)
	}
}

// fixture is a sidecar that runs, and the place of a landmarkd.
type fixture struct {
	*sidecar
	landmarkd
	clock atomic.Int64
	end   func() // has run end, and waits for that
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify.sock")
	f := &fixture{landmarkd: landmarkd{t: t, path: path}}
	f.sidecar = newSidecar(path, "epg", 4711, func() rule.Instant { return rule.Instant(f.clock.Load()) })
	ctx, cancel := context.WithCancel(t.Context())
	f.end = func() {
		cancel()
		<-f.ended
	}
	t.Cleanup(f.end)
	go f.run(ctx)
	return f
}

// pass lets time pass.
func (f *fixture) pass(d time.Duration) { f.clock.Add(int64(d)) }

// say has the program say the lines.
func (f *fixture) say(lines ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range lines {
		f.said.take(line, f.now())
	}
	f.submit(lines)
}

// Each landmarkd is sent what is still true, and then what the program says.
func TestEachLandmarkdIsSentAll(t *testing.T) {
	f := newFixture(t)
	f.say("STATUS=a")
	f.say("READY=1", "X_LANDMARK_REACH=loop")
	for _, when := range []string{"late", "restarted"} {
		f.bind()
		f.expect("STATUS=a\nREADY=1")
		f.say("X_LANDMARK_REACH=loop")
		f.expect("X_LANDMARK_REACH=loop")
		f.unbind()
		t.Log(when)
	}
	f.bind()
	f.expect("STATUS=a\nREADY=1")
}

// A program that said nothing is reported all the same.
func TestSilentProgramIsReported(t *testing.T) {
	f := newFixture(t)
	f.bind()
	f.expect("")
}

// A landmarkd that is paused is not sent passes that are long over.
func TestPausedLandmarkd(t *testing.T) {
	f := newFixture(t)
	f.bind()
	f.expect("")
	const declaration = "X_LANDMARK_DECLARE=q:level:degrade_at=1e6,fail_at=1e7"
	f.say(declaration)
	f.expect(declaration)
	const count = 10 * maxQueue // more than the sockets and the queue hold
	for i := range count {      // which does not block
		f.say(fmt.Sprintf("X_LANDMARK_LEVEL=q:%d", i), "WATCHDOG=1")
	}
	f.pass(maxDelay + 1)
	received := 0
	for want := fmt.Sprintf("%s\nX_LANDMARK_LEVEL=q:%d", declaration, count-1); f.receive() != want; {
		received++
	}
	if received > maxQueue {
		t.Errorf("landmarkd received %d old notifications, want only those in its socket", received)
	}
	f.say("WATCHDOG=1")
	f.expect("WATCHDOG=1")
}

// A new landmarkd gets no READY=1 of a program that hangs, until it goes on.
func TestHangingProgramIsNotReady(t *testing.T) {
	f := newFixture(t)
	f.say("WATCHDOG_USEC=100000")
	f.say("READY=1")
	f.pass(150 * time.Millisecond)
	f.bind()
	f.expect("WATCHDOG_USEC=100000")
	f.say("WATCHDOG=1")
	f.expect("READY=1\nWATCHDOG=1")
}

// The program's process is kept until landmarkd has read that it has stopped.
func TestEndAwaitsLandmarkd(t *testing.T) {
	f := newFixture(t)
	f.bind()
	f.expect("")
	f.say("READY=1")
	f.expect("READY=1")
	f.stopped()
	ended := make(chan bool)
	go func() {
		f.end()
		close(ended)
	}()
	f.expect("READY=1\nSTOPPING=1")
	select {
	case <-ended:
		t.Error("run has ended before the barrier was read")
	default:
	}
	f.expect("BARRIER=1")
	<-ended
}

// A landmarkd that does not read, or none, does not keep it for long.
func TestEndWithoutReader(t *testing.T) {
	for _, bound := range []bool{true, false} {
		f := newFixture(t)
		if bound {
			f.bind()
		}
		f.say("READY=1")
		f.stopped()
		f.end()
	}
}

// Root, the own user and that of the program may speak for the program.
func TestWhoMaySpeak(t *testing.T) {
	const other = 65534
	own := uint32(os.Getuid())
	r := &relay{pid: os.Getpid()}
	for uid, want := range map[uint32]bool{0: true, own: true, own + 1: false, other: false} {
		if got := r.maySpeak(uid); got != want {
			t.Errorf("uid %d: %t, want %t", uid, got, want)
		}
	}
	if own != 0 {
		t.Skip("only root can start a process of another user")
	}
	cmd := exec.Command("sleep", "600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: other, Gid: other}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	r.pid = cmd.Process.Pid
	if !r.maySpeak(other) || r.maySpeak(other-1) {
		t.Errorf("the program's user may speak: %t, another one: %t", r.maySpeak(other), r.maySpeak(other-1))
	}
}

func TestRegularEnd(t *testing.T) {
	for s, want := range map[Status]bool{
		{}: true, {Code: 1}: false, {Code: 143}: true, {Code: 137}: false, {Code: 128}: false,
		{Signal: syscall.SIGTERM}: true, {Signal: syscall.SIGINT}: true, {Signal: syscall.SIGHUP}: true,
		{Signal: syscall.SIGKILL}: false, {Signal: syscall.SIGSEGV}: false,
	} {
		if got := s.regular(); got != want {
			t.Errorf("%+v: %t, want %t", s, got, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/run/systemd/notify")
	t.Setenv("WATCHDOG_PID", "1")
	t.Setenv("WATCHDOG_USEC", "1")
	t.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
	env, pids := environment("/run/a", 2*time.Second)
	for name, want := range map[string]string{"NOTIFY_SOCKET": "/run/a", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "", "LISTEN_PID": ""} {
		var got []string
		for _, v := range env {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				got = append(got, value)
			}
		}
		if strings.Join(got, ",") != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
		if want == "" && !slices.Contains(pids, name) {
			t.Errorf("%s is not set to the number of the process", name)
		}
	}
	t.Setenv("LISTEN_PID", "1") // meant for another process
	if env, pids := environment("/run/a", 0); len(pids) > 0 || !slices.Contains(env, "LISTEN_PID=1") || !slices.Contains(env, "WATCHDOG_USEC=1") {
		t.Errorf("what is meant for another process was changed: %q, %q", pids, env)
	}
}
