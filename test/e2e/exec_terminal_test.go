//go:build e2e

package e2e_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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
