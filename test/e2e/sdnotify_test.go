//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// notifier is a program of Debian that speaks sd_notify, unmodified.
type notifier struct {
	name, pkg string
	// command returns its arguments and environment, with its files in the directory.
	command  func(t *testing.T, dir string) (args, env []string)
	reload   syscall.Signal // 0 = it cannot reload
	stop     syscall.Signal
	stopped  string // the cause after its clean stop: lost if it does not say STOPPING=1
	says     string // a pattern of its status text; "" = it has none
	watchdog time.Duration
}

var notifiers = []notifier{
	{
		name: "redis-server", pkg: "redis-server", stop: syscall.SIGTERM, stopped: "stopped", says: "Ready to accept connections",
		command: func(t *testing.T, dir string) (args, env []string) {
			return []string{"--supervised", "systemd", "--port", "0", "--unixsocket", filepath.Join(dir, "redis.sock"), "--save", "", "--dir", dir}, nil
		},
	},
	{
		name: "haproxy", pkg: "haproxy", reload: syscall.SIGUSR2, stop: syscall.SIGTERM, stopped: "stopped",
		command: func(t *testing.T, dir string) (args, env []string) {
			config := filepath.Join(dir, "haproxy.cfg")
			write(t, config, fmt.Sprintf("defaults\n mode tcp\n timeout connect 1s\n timeout client 1s\n timeout server 1s\nlisten a\n bind unix@%s\n server b 127.0.0.1:1\n", filepath.Join(dir, "haproxy.sock")))
			return []string{"-Ws", "-f", config}, nil
		},
	},
	{
		// It says nothing when it stops, but feeds the watchdog that it is given.
		name: "php-fpm8.2", pkg: "php8.2-fpm", reload: syscall.SIGUSR2, stop: syscall.SIGQUIT, stopped: "lost", says: "Processes active: 0, idle: 1, .*", watchdog: 3 * time.Second,
		command: func(t *testing.T, dir string) (args, env []string) {
			config := filepath.Join(dir, "fpm.conf")
			write(t, config, fmt.Sprintf("[global]\nerror_log = %s\n[www]\nlisten = %s\nuser = nobody\ngroup = nogroup\npm = static\npm.max_children = 1\n",
				filepath.Join(dir, "fpm.log"), filepath.Join(dir, "fpm.sock")))
			return []string{"-F", "-y", config}, []string{"WATCHDOG_USEC=3000000"}
		},
	},
	{
		name: "unbound", pkg: "unbound", reload: syscall.SIGHUP, stop: syscall.SIGTERM, stopped: "stopped",
		command: func(t *testing.T, dir string) (args, env []string) {
			config := filepath.Join(dir, "unbound.conf")
			write(t, config, fmt.Sprintf("server:\n interface: 127.0.0.1@%s\n username: \"\"\n chroot: \"\"\n directory: %q\n pidfile: \"\"\n use-syslog: no\nremote-control:\n control-enable: no\n",
				portOf(t, freeAddress(t)), dir))
			return []string{"-d", "-p", "-c", config}, nil
		},
	},
	{
		name: "knotd", pkg: "knot", reload: syscall.SIGHUP, stop: syscall.SIGTERM, stopped: "stopped",
		command: func(t *testing.T, dir string) (args, env []string) {
			config := filepath.Join(dir, "knot.conf")
			write(t, config, fmt.Sprintf("server:\n  rundir: %[1]s\n  listen: 127.0.0.1@%[2]s\ndatabase:\n  storage: %[1]s\ncontrol:\n  listen: %[1]s/knot.ctl\n", dir, portOf(t, freeAddress(t))))
			return []string{"-c", config}, nil
		},
	},
}

// notifyEnv is a landmarkd with a notify socket of a service, "app".
type notifyEnv struct {
	*env
	notifySocket, file string
}

// newNotifyEnv starts landmarkd. Further lines of the service's configuration may be
// given.
func newNotifyEnv(t *testing.T, lines ...string) *notifyEnv {
	t.Helper()
	dir := t.TempDir()
	e := &notifyEnv{notifySocket: filepath.Join(dir, "app.sock"), file: filepath.Join(dir, "landmarkd.yaml")}
	write(t, e.file, fmt.Sprintf("services:\n  app:\n    notify_socket: %s\n%s", e.notifySocket, strings.Join(lines, "")))
	e.env = newEnv(t, "-config", e.file)
	return e
}

// run starts the program under the notify socket, in a process group of its own.
func (e *notifyEnv) run(n notifier) *process {
	e.t.Helper()
	path := debian(e.t, n.name, n.pkg)
	args, env := n.command(e.t, e.t.TempDir())
	p := prepare(e.t, path, args...)
	p.cmd.Env = append(append(os.Environ(), "NOTIFY_SOCKET="+e.notifySocket), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.start()
	e.t.Cleanup(func() { syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }) // its workers
	return p
}

// awaitSays waits until landmark status shows a status text that matches the pattern.
func (e *notifyEnv) awaitSays(pattern string) {
	e.t.Helper()
	e.awaitStatus("app", `[0-9]+-[0-9A-Z]+ +`+pattern)
}

// Unmodified programs: each has its own cause when it starts, reloads, is frozen, goes on,
// is killed and stops.
func TestNotifyingPrograms(t *testing.T) {
	parallel(t)
	for _, n := range notifiers {
		t.Run(n.name, func(t *testing.T) {
			parallel(t)
			var lines []string
			if n.watchdog > 0 {
				lines = []string{fmt.Sprintf("    watchdog: %v\n", n.watchdog)}
			}
			e := newNotifyEnv(t, lines...)
			if got := checkUDP(e.env, "app"); got != "NOT_SERVING unreported" {
				t.Errorf("before its start: got %s", got)
			}
			p := e.run(n)
			e.await(checkUDP, "app", "SERVING none")
			if n.says != "" {
				e.awaitSays(n.says)
			}
			if n.watchdog > 0 {
				e.awaitStatus("app", `watchdog +alive +ok +critical +passed .* ago +allowed 3 s`)
				for end := time.Now().Add(n.watchdog + time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
					if got := checkUDP(e.env, "app"); got != "SERVING none" {
						t.Fatalf("while it feeds its watchdog: got %s", got)
					}
				}
			}
			if n.reload != 0 {
				p.signal(n.reload)
				for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
					if got := checkUDP(e.env, "app"); got != "SERVING none" {
						t.Fatalf("during its reload: got %s", got)
					}
				}
			}

			p.signal(syscall.SIGSTOP)
			e.await(checkUDP, "app", "NOT_SERVING stale")
			p.signal(syscall.SIGCONT)
			e.await(checkUDP, "app", "SERVING none")

			killed := p.signal(syscall.SIGKILL) // its workers live on, and hold its standard error
			took, err := e.awaitChange(checkUDP, "app", "NOT_SERVING lost", killed)
			if err != nil {
				t.Fatal(err)
			}
			assertWithin(t, took, 50*time.Millisecond, "from its end until it is lost")
			t.Logf("it was lost after %v", took)
			syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)

			p = e.run(n)
			e.await(checkUDP, "app", "SERVING none")
			time.Sleep(500 * time.Millisecond) // haproxy says READY=1 before it handles signals
			p.signal(n.stop)
			<-p.exited
			e.await(checkUDP, "app", "NOT_SERVING "+n.stopped)
			history, _ := e.landmark(0, "history", "app")
			drained := regexp.MustCompile(`NOT_SERVING +draining +0% +SERVING`).MatchString(history)
			if want := n.stopped == "stopped"; drained != want {
				t.Errorf("while it stopped it was draining: got %t, want %t, in\n%s", drained, want, history)
			}
		})
	}
}

// A restart of landmarkd under a program that does not repeat READY=1: it serves if it
// did, and what had failed before still fails.
func TestNotifyingProgramOverRestart(t *testing.T) {
	parallel(t)
	e := newNotifyEnv(t)
	n := notifiers[0]
	p := e.run(n)
	e.await(checkUDP, "app", "SERVING none")
	restart := func(kill bool) {
		t.Helper()
		if kill {
			e.sidecar.kill()
		} else if code := e.sidecar.terminate(); code != 0 {
			t.Errorf("exit code of landmarkd: got %d, want 0", code)
		}
		e.start("-config", e.file)
	}
	for _, kill := range []bool{true, false} {
		restart(kill)
		if got := checkUDP(e.env, "app"); got != "SERVING none" {
			t.Errorf("the first answer after a restart, killed %t: got %s", kill, got)
		}
		e.awaitSays(n.says)
	}
	p.signal(syscall.SIGSTOP)
	e.await(checkUDP, "app", "NOT_SERVING stale")
	restart(true)
	if got := checkUDP(e.env, "app"); got != "NOT_SERVING stale" {
		t.Errorf("the first answer after a restart over a frozen program: got %s", got)
	}
	p.signal(syscall.SIGCONT)
	e.await(checkUDP, "app", "SERVING none")
	e.sidecar.kill()
	p.kill()
	e.start("-config", e.file)
	if got := checkUDP(e.env, "app"); got != "NOT_SERVING lost" {
		t.Errorf("the first answer after a restart over the end of the program: got %s", got)
	}
}

// A landmarkd that is killed as soon as it has answered goes on with that answer.
func TestKilledAfterNotification(t *testing.T) {
	parallel(t)
	e := newNotifyEnv(t)
	notify(t, e.notifySocket, "X_LANDMARK_DECLARE=db:condition")
	for range 5 {
		for _, tt := range []struct{ says, want string }{
			{"X_LANDMARK_CONDITION=db:1", "SERVING none"},
			{"X_LANDMARK_CONDITION=db:0:away", "NOT_SERVING failed"},
			{"X_LANDMARK_CONDITION=db:1", "SERVING none"},
			{"X_LANDMARK_DRAIN=1", "NOT_SERVING draining"},
			{"X_LANDMARK_DRAIN=0", "SERVING none"},
		} {
			notify(t, e.notifySocket, tt.says)
			e.await(checkUDP, "app", tt.want)
			e.sidecar.kill()
			e.start("-config", e.file)
			if got := checkUDP(e.env, "app"); got != tt.want {
				t.Errorf("after %s and a restart: got %s, want %s", tt.says, got, tt.want)
			}
		}
	}
}

// script is a main loop in shell that uses systemd-notify. It ends its loop at SIGTERM,
// and hangs while the file "hang" exists.
const script = `
trap 'systemd-notify --pid=$$ STOPPING=1; exit 0' TERM
systemd-notify --pid=$$ --ready --status="loop in shell" WATCHDOG_USEC=2000000
while :; do
	while [ -e "$1/hang" ]; do sleep 0.05; done
	systemd-notify --pid=$$ WATCHDOG=1
	sleep 0.1
done`

// A shell script that reports by systemd-notify, with its barrier.
func TestSystemdNotify(t *testing.T) {
	parallel(t)
	debian(t, "systemd-notify", "systemd")
	e := newNotifyEnv(t)
	dir := t.TempDir()
	shell := notifier{name: "sh", pkg: "dash", command: func(*testing.T, string) (args, env []string) {
		return []string{"-c", script, "sh", dir}, nil
	}}
	p := e.run(shell)
	e.await(checkUDP, "app", "SERVING none")
	e.awaitSays("loop in shell")

	write(t, filepath.Join(dir, "hang"), "")
	e.await(checkUDP, "app", "NOT_SERVING stalled")
	if got := checkUDP(e.env, "app-liveness"); got != "NOT_SERVING stalled" {
		t.Errorf("liveness of a hung script: got %s", got)
	}
	if err := os.Remove(filepath.Join(dir, "hang")); err != nil {
		t.Fatal(err)
	}
	e.await(checkUDP, "app", "SERVING none")
	p.signal(syscall.SIGSTOP)
	e.await(checkUDP, "app", "NOT_SERVING stale")
	p.signal(syscall.SIGCONT)
	e.await(checkUDP, "app", "SERVING none")
	p.kill()
	e.await(checkUDP, "app", "NOT_SERVING lost")
	p = e.run(shell)
	e.await(checkUDP, "app", "SERVING none")
	p.signal(syscall.SIGTERM)
	e.await(checkUDP, "app", "NOT_SERVING stopped")

	// The barrier returns once what was sent before is in the answers.
	for range 10 {
		holder := start(t, "/bin/sleep", "60")
		notify := func(args ...string) {
			t.Helper()
			cmd := exec.Command("systemd-notify", append([]string{fmt.Sprint("--pid=", holder.cmd.Process.Pid)}, args...)...)
			cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+e.notifySocket)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("systemd-notify: %v: %s", err, out)
			}
		}
		notify("--ready")
		if got := checkUDP(e.env, "app"); got != "SERVING none" {
			t.Errorf("after the barrier of READY=1: got %s", got)
		}
		notify("STOPPING=1")
		if got := checkUDP(e.env, "app"); got != "NOT_SERVING draining" {
			t.Errorf("after the barrier of STOPPING=1: got %s", got)
		}
		holder.kill()
		e.await(checkUDP, "app", "NOT_SERVING stopped")
	}
}

// notify sends one notification to the socket.
func notify(t *testing.T, socket, lines string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Sendmsg(fd, []byte(lines), nil, &unix.SockaddrUnix{Name: socket}, 0); err != nil {
		t.Fatal(err)
	}
}

// The shared socket, which is beside the agents', needs the name of the service. Its
// socket comes back if it is removed, and services get sockets at a reload.
func TestSharedNotifySocket(t *testing.T) {
	parallel(t)
	e := newNotifyEnv(t)
	shared := filepath.Join(filepath.Dir(e.socket), "notify.sock")
	notify(t, shared, "X_LANDMARK_SERVICE=epg\nX_LANDMARK_INSTANCE=test\nX_LANDMARK_DECLARE=loop:alive:within=1h\nX_LANDMARK_REACH=loop")
	e.await(checkUDP, "epg", "SERVING none")
	notify(t, shared, "READY=1")
	e.sidecar.awaitLine("it names no service")
	notify(t, shared, "X_LANDMARK_SERVICE=epg\nX_LANDMARK_DRAIN=1")
	e.await(checkUDP, "epg", "NOT_SERVING draining")
	notify(t, shared, "X_LANDMARK_SERVICE=epg\nX_LANDMARK_DRAIN=0")
	e.await(checkUDP, "epg", "SERVING none")

	if err := os.Remove(shared); err != nil {
		t.Fatal(err)
	}
	e.sidecar.awaitLine("the socket was removed and has been created again")
	notify(t, shared, "X_LANDMARK_SERVICE=epg\nX_LANDMARK_DRAIN=1")
	e.await(checkUDP, "epg", "NOT_SERVING draining")

	second := filepath.Join(t.TempDir(), "second.sock")
	write(t, e.file, fmt.Sprintf("services:\n  second:\n    notify_socket: %s\n", second))
	e.sidecar.signal(syscall.SIGHUP)
	e.sidecar.awaitCount(reloadLogged, 2)
	notify(t, second, "READY=1")
	e.await(checkUDP, "second", "SERVING none")
	if _, err := os.Lstat(e.notifySocket); err == nil {
		t.Error("the socket of a service that is not configured any more is still there")
	}
	write(t, e.file, "services:\n  second:\n    notify_socket: /proc/second.sock\n")
	e.sidecar.signal(syscall.SIGHUP)
	e.sidecar.awaitLine("services.second.notify_socket: /proc/second.sock: ")
	notify(t, second, "STOPPING=1")
	e.await(checkUDP, "second", "NOT_SERVING draining")
	if code := e.sidecar.terminate(); code != 0 {
		t.Errorf("exit code of landmarkd: got %d, want 0", code)
	}
	for _, path := range []string{shared, second} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is still there after the end of landmarkd", path)
		}
	}
}
