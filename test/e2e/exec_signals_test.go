//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

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
