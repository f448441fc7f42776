//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
