//go:build e2e

package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program that a test started and that ends with the test.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	exited chan struct{} // closed once the process was waited for

	mu    sync.Mutex
	lines []string      // of its standard error; guarded by mu
	more  chan struct{} // holds a token if there are new lines
}

// newProcess returns a process that has not been started.
func newProcess(t *testing.T, cmd *exec.Cmd) *process {
	return &process{t: t, cmd: cmd, exited: make(chan struct{}), more: make(chan struct{}, 1)}
}

// start starts a program. If the test fails, its standard error is logged.
func start(t *testing.T, path string, args ...string) *process {
	t.Helper()
	p := prepare(t, path, args...)
	p.start()
	return p
}

// prepare returns the process of a program, for a test that sets more of the
// command before it starts.
func prepare(t *testing.T, path string, args ...string) *process {
	return newProcess(t, exec.Command(path, args...))
}

func (p *process) start() {
	p.t.Helper()
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	p.run(stderr)
}

// startUnread starts the process with the streams that its command has, none of
// which is read.
func (p *process) startUnread() {
	p.t.Helper()
	p.run(strings.NewReader(""))
}

func (p *process) run(stderr io.Reader) {
	t := p.t
	t.Helper()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.read(stderr)
		p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGCONT)
		p.kill()
		if t.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			t.Logf("%s:\n%s", strings.Join(p.cmd.Args, " "), strings.Join(p.lines, "\n"))
		}
	})
}

func (p *process) read(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		p.mu.Lock()
		p.lines = append(p.lines, lines.Text())
		p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
	}
}

// written returns the lines that the process has written to standard error.
func (p *process) written() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// awaitLine waits until the process has written a line that contains text.
func (p *process) awaitLine(text string) {
	p.t.Helper()
	timeout := time.After(testTimeout)
	for {
		p.mu.Lock()
		written := strings.Contains(strings.Join(p.lines, "\n"), text)
		p.mu.Unlock()
		if written {
			return
		}
		select {
		case <-p.more:
		case <-p.exited:
			p.t.Fatalf("%s exited without writing %q", p.cmd.Path, text)
		case <-timeout:
			p.t.Fatalf("%s did not write %q within %v", p.cmd.Path, text, testTimeout)
		}
	}
}

// count returns how many lines that contain text the process has written.
func (p *process) count(text string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// awaitCount waits until the process has written n lines that contain text.
func (p *process) awaitCount(text string, n int) {
	p.t.Helper()
	for timeout := time.After(testTimeout); p.count(text) < n; {
		select {
		case <-p.more:
		case <-timeout:
			p.t.Fatalf("%s wrote %q %d times within %v, want %d", p.cmd.Path, text, p.count(text), testTimeout, n)
		}
	}
}

// signal sends the signal and returns the time at which it was sent. After
// SIGSTOP it waits until the process has stopped, because until then the process
// may accept one more connection.
func (p *process) signal(s syscall.Signal) time.Time {
	err := p.cmd.Process.Signal(s)
	at := time.Now()
	switch {
	case errors.Is(err, os.ErrProcessDone):
	case err != nil:
		p.t.Errorf("%v to %s: %v", s, p.cmd.Path, err)
	case s == syscall.SIGSTOP:
		for !p.stopped() {
			if time.Since(at) > testTimeout {
				p.t.Errorf("%s did not stop within %v of SIGSTOP", p.cmd.Path, testTimeout)
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	return at
}

// inactive is the state of a thread that is stopped or has ended (proc(5)).
var inactive = regexp.MustCompile(`\) [TtZXx] `)

// stopped reports whether every thread of the process has stopped.
func (p *process) stopped() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, thread := range threads {
		if stat, err := os.ReadFile(thread); err == nil && !inactive.Match(stat) {
			return false
		}
	}
	return true
}

// kill kills the process, waits until it has exited, and returns the time at
// which it was killed.
func (p *process) kill() time.Time {
	at := p.signal(syscall.SIGKILL)
	<-p.exited
	return at
}

// terminate sends SIGTERM, waits until the process has exited, and returns its
// exit code.
func (p *process) terminate() int {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(testTimeout):
		p.t.Fatalf("%s did not exit within %v of SIGTERM", p.cmd.Path, testTimeout)
	}
	return p.cmd.ProcessState.ExitCode()
}

// runProgram runs a program to its end and returns its exit code and output.
func runProgram(t *testing.T, path string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(path, args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}
