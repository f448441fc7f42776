//go:build e2e

package e2e_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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

// A program that ends as one does that is asked to has stopped, also if it does not say
// so. Any other end is a crash.
func TestExecEndings(t *testing.T) {
	parallel(t)
	debian(t, "systemd-notify", "systemd")
	e := newEnv(t)
	for i, ending := range endings {
		service := fmt.Sprint("s", i)
		p := e.prepareExec("-service", service, "sh", "-c", "systemd-notify --ready; "+ending.script)
		p.cmd.Args = append([]string{"sh", "-c", `"$0" "$@"; echo "status $?" >&2`}, p.cmd.Args...)
		p.cmd.Path = "/bin/sh"
		p.startGroup()
		p.awaitLine("status " + ending.status)
		e.await(checkUDP, service, "NOT_SERVING "+ending.cause)
		history, _ := e.landmark(0, "history", service)
		if ending.cause == "stopped" && strings.Contains(history, " lost ") {
			t.Errorf("%s: it was lost in between:\n%s", ending.script, history)
		}
	}
}

// What cannot be run has the exit codes of env(1), and a reason.
func TestExecWithoutProgram(t *testing.T) {
	parallel(t)
	dir := t.TempDir()
	format := filepath.Join(dir, "format")
	write(t, format, "neither a program nor a script")
	if err := os.Chmod(format, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		code int
		says string
	}{
		{"", 125, "which program?"},
		{"--", 125, "which program?"},
		{"-x true", 125, "flag provided but not defined: -x"},
		{"-watchdog 1ms true", 125, "-watchdog must be 100ms to 24h"},
		{"-watchdog 0 true", 125, "-watchdog must be 100ms to 24h"},
		{"-service a:b true", 125, `-service "a:b" has the character ':'`},
		{"/bin/[", 125, "no service can have the name of COMMAND"},
		{"no-such-program", 127, "cannot run no-such-program: executable file not found in $PATH"},
		{"-service a /no/such/program", 127, "cannot run /no/such/program: "},
		{dir + "/", 126, "cannot run "},
		{"-service a /etc/passwd", 126, "cannot run /etc/passwd: permission denied"},
		{format, 126, "exec format error"},
	} {
		code, _, errs := runProgram(t, program("landmark"), append([]string{"exec"}, strings.Fields(tt.args)...)...)
		if code != tt.code || !strings.Contains(errs, tt.says) || strings.Count(errs, "\n") != 1 {
			t.Errorf("landmark exec %s: exit code %d, %q, want %d and %q", tt.args, code, errs, tt.code, tt.says)
		}
	}
	// Flags behind the program are the program's.
	if code, out, _ := runProgram(t, program("landmark"), "exec", "echo", "-service", "a", "--"); code != 0 || out != "-service a --\n" {
		t.Errorf("exit code %d, %q, want 0 and the program's arguments", code, out)
	}
}

// As the first process of a container, landmark exec reaps what the program leaves, and
// ends with the status of a shell.
func TestExecAsFirstProcess(t *testing.T) {
	parallel(t)
	if os.Getuid() != 0 {
		t.Skip("only root can make a PID namespace")
	}
	unshare := debian(t, "unshare", "util-linux")
	code, out, errs := runProgram(t, unshare, "--pid", "--fork", "--mount-proc", program("landmark"), "exec", "sh", "-c", `
		(sleep 0.01 & ) # its parent ends first
		sleep 0.3
		grep -l "State:.Z" /proc/[0-9]*/status
		echo $PPID; kill -TERM $$`)
	if code != 143 || out != "1\n" {
		t.Errorf("exit code %d, %q, %q, want 143 after the program as a child of process 1", code, out, errs)
	}
}

// lines returns the lines of the file, once it has n.
func lines(t *testing.T, path string, n int) []string {
	t.Helper()
	for end := time.Now().Add(testTimeout); ; time.Sleep(5 * time.Millisecond) {
		content, _ := os.ReadFile(path)
		if found := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n"); len(found) >= n && len(content) > 0 {
			return found
		}
		if time.Now().After(end) {
			t.Fatalf("after %v: got %q, want %d lines", testTimeout, content, n)
		}
	}
}

// The program receives the signals that landmark exec is sent.
func TestExecForwardsSignals(t *testing.T) {
	parallel(t)
	// The tests may run under nohup. A signal that this process handles is not ignored
	// by the programs that it starts.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP)
	defer signal.Stop(handled)
	e := prepareEnv(t)
	file := filepath.Join(t.TempDir(), "signals")
	p := e.startExec(program("signals"), file)
	want := []string{"ready 0"}
	lines(t, file, 1)
	for _, s := range []syscall.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGABRT, syscall.SIGALRM, syscall.SIGCONT,
		syscall.SIGIO, syscall.SIGPWR, 35, 64, syscall.SIGTERM,
	} {
		p.signal(s)
		want = append(want, strconv.Itoa(int(s)))
		if got := lines(t, file, len(want)); !slices.Equal(got, want) {
			t.Fatalf("%v: the program received %q, want %q", s, got, want)
		}
	}
	<-p.exited
	if code := p.cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code: got %d, want 7, as the program", code)
	}
}

// A signal that landmark exec was started to ignore is ignored by the program.
func TestExecUnderNohup(t *testing.T) {
	parallel(t)
	out, err := exec.Command("sh", "-c", `trap "" HUP INT; "$0" exec sh -c 'kill -HUP $$; kill -INT $$; kill -HUP $PPID; sleep 0.1; echo alive'`, program("landmark")).CombinedOutput()
	if err != nil || string(out) != "alive\n" {
		t.Errorf("%q, %v", out, err)
	}
	// SIGPIPE has its default action, which Go's runtime changes.
	out, err = exec.Command("sh", "-c", `"$0" exec sh -c 'kill -PIPE $$; echo alive'; echo $?`, program("landmark")).Output()
	if err != nil || string(out) != "141\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// pty returns a new pseudoterminal: the side of the keyboard and the path of the other.
func pty(t *testing.T) (keyboard *os.File, fd int, path string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("cannot open a terminal: %v", err)
	}
	keyboard = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return keyboard, fd, fmt.Sprintf("/dev/pts/%d", n)
}

// At a terminal, the program is in the foreground: it has the size of the window, gets
// each Ctrl-C once, and Ctrl-Z and fg stop and continue it.
func TestExecAtTerminal(t *testing.T) {
	parallel(t)
	bash := debian(t, "bash", "bash")
	keyboard, fd, path := pty(t)
	resize := func(width uint16) {
		t.Helper()
		if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: width}); err != nil {
			t.Fatal(err)
		}
	}
	resize(91)
	terminal, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	dir := t.TempDir()
	shell := prepare(t, bash, "--norc", "--noprofile", "-i")
	shell.cmd.Dir = dir
	shell.cmd.Env = append(os.Environ(), "LANDMARK_NOTIFY_SOCKET="+filepath.Join(dir, "notify.sock"), "RUNTIME_DIRECTORY="+dir, "HISTFILE=", "TERM=dumb")
	shell.cmd.Stdin, shell.cmd.Stdout, shell.cmd.Stderr = terminal, terminal, terminal
	shell.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	go io.Copy(io.Discard, keyboard)
	shell.startUnread()
	var started []int
	t.Cleanup(func() {
		for _, pid := range started {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	press := func(keys string) {
		t.Helper()
		if _, err := keyboard.WriteString(keys); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "signals")
	press(fmt.Sprintf("%s exec %s %s\n", program("landmark"), program("signals"), file))
	want := []string{"ready 91"}
	expect := func(when string, more ...string) {
		t.Helper()
		want = append(want, more...)
		if got := lines(t, file, len(want)); !slices.Equal(got, want) {
			t.Fatalf("%s: the program received %q, want %q", when, got, want)
		}
	}
	expect("start")
	resize(92)
	expect("new size", "28 92")
	for range 20 {
		press("\x03")
		expect("Ctrl-C", "2")
		time.Sleep(10 * time.Millisecond) // a second one would come now
	}
	press("\x1c")
	expect("Ctrl-\\", "3")

	wrapper := shell.child("landmark")
	w := process{t: t, cmd: &exec.Cmd{Process: &os.Process{Pid: wrapper}}}
	server := process{t: t, cmd: &exec.Cmd{Process: &os.Process{Pid: w.child("signals")}}}
	started = []int{wrapper, server.cmd.Process.Pid}
	await := func(when string, condition func() bool) {
		t.Helper()
		for end := time.Now().Add(testTimeout); !condition(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not within %v: %s", testTimeout, when)
			}
		}
	}
	press("\x1a")
	await("both are stopped", func() bool { return w.stopped() && server.stopped() })
	press("touch prompt\n") // the shell has the terminal again
	await("the shell reads", func() bool { _, err := os.Stat(filepath.Join(dir, "prompt")); return err == nil })
	press("fg\n")
	await("both go on", func() bool { return !w.stopped() && !server.stopped() })
	got := lines(t, file, len(want)+1)
	for _, line := range got[len(want):] {
		if line != "18" { // SIGCONT of the shell, and that of landmark exec
			t.Errorf("after fg the program received %q", got[len(want):])
		}
	}
	press("\x03")
	await("Ctrl-C in the foreground again", func() bool { return slices.Contains(lines(t, file, 1)[len(want):], "2") })
	syscall.Kill(wrapper, syscall.SIGTERM)
	press("echo $? >status\n")
	if got := lines(t, filepath.Join(dir, "status"), 1); got[0] != "7" {
		t.Errorf("the shell sees the status %s, want 7", got[0])
	}
	press("exit\n")
	<-shell.exited
}

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
