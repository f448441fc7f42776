//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// prepareExec returns landmark exec with the arguments, in a process group of its own,
// which ends with the test. It reports to landmarkd's shared notify socket.
func (e *env) prepareExec(args ...string) *process {
	e.t.Helper()
	p := prepare(e.t, program("landmark"), append([]string{"exec"}, args...)...)
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "NOTIFY_SOCKET" && name != "WATCHDOG_USEC" {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(p.cmd.Env, "LANDMARK_NOTIFY_SOCKET="+filepath.Join(filepath.Dir(e.socket), "notify.sock"), "RUNTIME_DIRECTORY="+e.t.TempDir())
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return p
}

// startExec starts landmark exec.
func (e *env) startExec(args ...string) *process {
	e.t.Helper()
	p := e.prepareExec(args...)
	p.startGroup()
	return p
}

// startGroup starts the process, and ends its process group with the test.
func (p *process) startGroup() {
	p.t.Helper()
	p.start()
	p.t.Cleanup(func() { syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) })
}

// redis is the arguments of redis-server without a port, with its files in a directory of
// the test.
func redis(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	return []string{debian(t, "redis-server", "redis-server"), "--supervised", "systemd", "--port", "0", "--unixsocket", filepath.Join(dir, "redis.sock"), "--save", "", "--dir", dir}
}

// child returns the process whose parent is p, once it is the given program.
func (p *process) child(name string) int {
	p.t.Helper()
	parent := regexp.MustCompile(fmt.Sprintf(`^(\d+) \(%.15s\) . %d `, regexp.QuoteMeta(name), p.cmd.Process.Pid))
	for end := time.Now().Add(testTimeout); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		stats, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, path := range stats {
			stat, _ := os.ReadFile(path)
			if found := parent.FindSubmatch(stat); found != nil {
				pid, _ := strconv.Atoi(string(found[1]))
				return pid
			}
		}
	}
	p.t.Fatalf("%q has not started %s within %v", p.cmd.Args, name, testTimeout)
	return 0
}

// An unmodified program under landmark exec: it starts, is frozen, goes on, is killed, and
// stops, and landmark exec ends as it does.
func TestExec(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	args := append([]string{"-service", "cache", "--"}, redis(t)...)
	p := e.startExec(args...)
	e.await(checkUDP, "cache", "SERVING none")
	e.awaitStatus("cache", `[0-9]+-[0-9A-Z]+ +Ready to accept connections`)

	server := p.child("redis-server")
	syscall.Kill(server, syscall.SIGSTOP)
	e.await(checkUDP, "cache", "NOT_SERVING stale")
	syscall.Kill(server, syscall.SIGCONT)
	e.await(checkUDP, "cache", "SERVING none")

	killed := time.Now()
	syscall.Kill(server, syscall.SIGKILL)
	took, err := e.awaitChange(checkUDP, "cache", "NOT_SERVING lost", killed)
	if err != nil {
		t.Fatal(err)
	}
	assertWithin(t, took, 50*time.Millisecond, "from the end of the program until it is lost")
	<-p.exited
	if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("landmark exec ended by %v, want SIGKILL, as the program", status.Signal())
	}

	p = e.startExec(args...)
	e.await(checkUDP, "cache", "SERVING none")
	if code := p.terminate(); code != 0 {
		t.Errorf("exit code after SIGTERM: got %d, want 0, as the program", code)
	}
	e.await(checkUDP, "cache", "NOT_SERVING stopped")
	history, _ := e.landmark(0, "history", "cache")
	if !regexp.MustCompile(`draining .*\n.* stopped `).MatchString(history) {
		t.Errorf("it was not draining, then stopped:\n%s", history)
	}
	if left := p.written(); len(left) > 0 {
		t.Errorf("landmark exec wrote %q", left)
	}
}

// The program goes on if landmark exec is killed, and landmarkd still follows it.
func TestExecKilled(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	p := e.startExec(append([]string{"--"}, redis(t)...)...)
	e.await(checkUDP, "redis-server", "SERVING none") // the name of the program
	server := p.child("redis-server")
	p.signal(syscall.SIGKILL)
	time.Sleep(200 * time.Millisecond)
	if got := checkUDP(e, "redis-server"); got != "SERVING none" {
		t.Errorf("after the end of landmark exec: got %s", got)
	}
	syscall.Kill(server, syscall.SIGSTOP)
	e.await(checkUDP, "redis-server", "NOT_SERVING stale")
	syscall.Kill(server, syscall.SIGKILL)
	e.await(checkUDP, "redis-server", "NOT_SERVING lost")
}

// landmark exec runs the program without landmarkd, and reports to each landmarkd that comes,
// also one that knows nothing of the program.
func TestExecOverRestart(t *testing.T) {
	parallel(t)
	e := prepareEnv(t)
	p := e.startExec(append([]string{"-service", "cache", "--"}, redis(t)...)...)
	p.child("redis-server")
	e.start()
	e.await(checkUDP, "cache", "SERVING none")
	for _, kept := range []bool{true, false} {
		e.sidecar.kill()
		if !kept {
			for _, file := range []string{"notify.json", "members.json"} {
				if err := os.Remove(filepath.Join(filepath.Dir(e.socket), file)); err != nil {
					t.Fatal(err)
				}
			}
		}
		e.start()
		e.await(checkUDP, "cache", "SERVING none")
		e.awaitStatus("cache", `[0-9]+-[0-9A-Z]+ +Ready to accept connections`)
	}
	if left := p.written(); len(left) > 0 {
		t.Errorf("landmark exec wrote %q", left)
	}
}

// endings are shell scripts, and what becomes of a service that they report.
var endings = []struct {
	script string
	status string // of the shell that ran landmark exec
	cause  string
}{
	{"exit 0", "0", "stopped"},
	{"exit 3", "3", "lost"},
	{"kill -TERM $$", "143", "stopped"},
	{"kill -INT $$", "130", "stopped"},
	{"kill -SEGV $$", "139", "lost"},
	{"kill -ABRT $$", "134", "lost"},
	{"kill -KILL $$", "137", "lost"},
	{"exit 143", "143", "stopped"},
	{"systemd-notify STOPPING=1; exit 1", "1", "stopped"},
}

// A program that changes its user may still speak. No other user may.
func TestExecOfAnotherUser(t *testing.T) {
	parallel(t)
	if os.Getuid() != 0 {
		t.Skip("only root can change its user")
	}
	setpriv := debian(t, "setpriv", "util-linux")
	debian(t, "systemd-notify", "systemd")
	e := newEnv(t)
	p := e.prepareExec("-service", "app", setpriv, "--reuid=65534", "--clear-groups", "sh", "-c", `systemd-notify --ready; echo "at $NOTIFY_SOCKET" >&2; exec sleep 600`)
	p.cmd.Env = append(p.cmd.Env, "RUNTIME_DIRECTORY=") // no other user can enter that of the test
	p.startGroup()
	e.await(checkUDP, "app", "SERVING none")
	p.awaitLine("at ")
	_, socket, _ := strings.Cut(p.written()[0], "at ")
	stranger := exec.Command(setpriv, "--reuid=65533", "--clear-groups", "systemd-notify", "--no-block", "STOPPING=1")
	stranger.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	if out, err := stranger.CombinedOutput(); err != nil {
		t.Fatalf("systemd-notify: %v: %s", err, out)
	}
	time.Sleep(100 * time.Millisecond)
	if got := checkUDP(e, "app"); got != "SERVING none" {
		t.Errorf("after a notification of another user: got %s", got)
	}
	p.terminate()
	if _, err := os.Stat(filepath.Dir(socket)); err == nil {
		t.Errorf("%s is left", filepath.Dir(socket))
	}
}
