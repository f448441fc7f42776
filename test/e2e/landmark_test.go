//go:build e2e

package e2e_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// landmark runs the operator's tool and returns its output. It reports an error
// unless the exit code is the wanted one.
func (e *env) landmark(want int, args ...string) (stdout, stderr string) {
	e.t.Helper()
	switch args[0] {
	case "drain", "resume", "forget":
		args = append(args, "-admin-socket", e.adminSocket())
	default:
		args = append(args, "-addr", e.grpc)
	}
	code, stdout, stderr := runProgram(e.t, program("landmark"), args...)
	if code != want {
		e.t.Errorf("exit code of landmark %q: got %d, want %d:\n%s%s", args, code, want, stdout, stderr)
	}
	return stdout, stderr
}

// wantOutput reports an error unless landmark succeeds and prints the wanted text.
func (e *env) wantOutput(want string, args ...string) {
	e.t.Helper()
	if got, _ := e.landmark(0, args...); got != want {
		e.t.Errorf("output of landmark %q: got %q, want %q", args, got, want)
	}
}

// wantError reports an error unless landmark exits with the code, and its error
// contains the text.
func (e *env) wantError(code int, text string, args ...string) {
	e.t.Helper()
	if _, got := e.landmark(code, args...); !strings.Contains(got, text) {
		e.t.Errorf("error of landmark %q: got %q, want text with %q", args, got, text)
	}
}

func (e *env) adminSocket() string { return filepath.Join(filepath.Dir(e.socket), "admin.sock") }

// wantLine reports an error unless a line of the text matches the pattern.
func wantLine(t *testing.T, text, pattern string) {
	t.Helper()
	if !regexp.MustCompile(`(?m)^` + pattern + `$`).MatchString(text) {
		t.Errorf("got\n%s\nwant a line that matches\n%s", text, pattern)
	}
}

// The history shows a hang after it is over.
func TestHistoryShowsHang(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("500ms")
	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	status, _ := e.landmark(0, "status", "epg")
	wantLine(t, status, `epg +NOT_SERVING +stalled +0% +NOT_SERVING +\d+ ms +\d.* main loop last answered .* ago, allowed 500 ms`)
	wantLine(t, status, `main loop +loop +failing +critical +command sent, last answered .* ago +allowed 500 ms`)
	server.signal(syscall.SIGUSR2)
	e.await(checkUDP, "epg", "SERVING none")

	status, _ = e.landmark(0, "status")
	wantLine(t, status, `epg +SERVING +- +\d+% +SERVING +\d+ ms +\S+ ms +by 1, \d+ ms ago`)
	history, _ := e.landmark(0, "history", "epg")
	const at = `(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{3}`
	wantLine(t, history, at+` +NOT_SERVING +stalled +0% +NOT_SERVING +\d.* main loop last answered .* ago, allowed 500 ms`)
	wantLine(t, history, ` +failing main loop \(loop, critical\): command sent, last answered .* ago, allowed 500 ms`)
	wantLine(t, history, at+` +SERVING +- +\d+% +SERVING +\S+ ms so far`)
	if rows := strings.Split(history, "\n"); !strings.Contains(rows[0], "SINCE") || !strings.Contains(rows[len(rows)-2], "so far") {
		t.Errorf("got history\n%s\nwant a header and the current row at the end", history)
	}

	var document struct {
		Changes []struct {
			Time      time.Time
			Readiness struct{ Status, Cause string }
		}
	}
	inJSON, _ := e.landmark(0, "history", "-o", "json", "epg")
	if err := json.Unmarshal([]byte(inJSON), &document); err != nil {
		t.Fatal(err)
	}
	last := document.Changes[len(document.Changes)-2]
	if last.Readiness.Cause != "CAUSE_STALLED" || last.Readiness.Status != "STATUS_NOT_SERVING" || time.Since(last.Time) > time.Minute {
		t.Errorf("last but one change in JSON: got %+v, want STATUS_NOT_SERVING, CAUSE_STALLED within the last minute", last)
	}
}

// watchCommand is a running landmark watch.
type watchCommand struct {
	*process
	pipe *os.File
	out  *bufio.Scanner
}

func (e *env) watch(args ...string) watchCommand {
	e.t.Helper()
	p := prepare(e.t, program("landmark"), append([]string{"watch", "-addr", e.grpc}, args...)...)
	read, write, err := os.Pipe()
	if err != nil {
		e.t.Fatal(err)
	}
	p.cmd.Stdout = write
	p.start()
	write.Close()
	e.t.Cleanup(func() { read.Close() })
	return watchCommand{p, read, bufio.NewScanner(read)}
}

// want reads the next line, and reports an error unless it matches the pattern.
func (w watchCommand) want(pattern string) {
	w.t.Helper()
	w.pipe.SetReadDeadline(time.Now().Add(testTimeout))
	if !w.out.Scan() {
		w.t.Fatalf("output of landmark watch ended: %v, want %q", w.out.Err(), pattern)
	}
	wantLine(w.t, w.out.Text(), pattern)
}

// landmark watch prints each change, and goes on after a restart of landmarkd.
func TestWatchResumesAfterRestart(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("500ms")
	all, one := e.watch(), e.watch("-o", "json", "epg")
	all.want(`.* epg  SERVING +- +100%`)
	one.want(`\{"time":".*"service":\{"name":"epg".*"status":"STATUS_SERVING".*`)
	server.signal(syscall.SIGUSR1)
	all.want(`.* epg  NOT_SERVING +stalled +0%  main loop last answered .* ago, allowed 500 ms`)
	one.want(`\{.*"CAUSE_STALLED".*`)

	e.sidecar.terminate()
	all.awaitLine("lost landmarkd at " + e.grpc)
	e.start()
	all.awaitLine("watching again")
	one.awaitLine("watching again")
	server.signal(syscall.SIGUSR2)
	all.want(`.* epg  SERVING +- +\d+%`) // less than 100 %, because the loop's first answer was late
	one.want(`\{.*"STATUS_SERVING".*`)

	for _, w := range []watchCommand{all, one} {
		w.signal(syscall.SIGINT)
		<-w.exited
		if code := w.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("exit code of landmark watch on SIGINT: got %d, want 0", code)
		}
	}
}

// An operator drains and resumes a service. The program runs on, and the drain
// outlives its process.
func TestOperatorDrainOutlivesProgram(t *testing.T) {
	parallel(t)
	e := newLimitedEnv(t)
	server, _ := e.epg("500ms")
	all := e.watch()
	all.want(`.* epg  SERVING .*`)

	begun := time.Now()
	e.wantOutput("epg is drained; waiting 300 ms for its connections to finish\n", "drain", "-wait", "300ms", "epg")
	if took := time.Since(begun); took < 300*time.Millisecond {
		t.Errorf("drain -wait: took %v, want at least 300 ms", took)
	}
	if got, want := checkUDP(e, "epg"), "NOT_SERVING draining"; got != want {
		t.Errorf("drained: got %q, want %q", got, want)
	}
	if got, want := checkUDP(e, "epg-liveness"), "SERVING none"; got != want {
		t.Errorf("liveness when drained: got %q, want %q", got, want)
	}
	all.want(`.* epg  NOT_SERVING +draining +0%  drained by an operator`)
	e.wantOutput("epg was drained already\n", "drain", "epg")
	server.kill()
	all.want(`.* epg  NOT_SERVING +lost .*; drained, too`)
	start(t, program("epgd"), "-listen", freeAddress(t), "-agent-socket", e.socket, "-within", "500ms")
	e.await(checkUDP, "epg", "NOT_SERVING draining")

	e.assertDenied("resume")
	e.wantOutput("epg is resumed\n", "resume", "epg")
	e.await(checkUDP, "epg", "SERVING none")
	e.assertDenied("drain")
	e.wantOutput("epg was not drained by an operator\n", "resume", "epg")
}

// assertDenied asserts that another user may not run the command. Without root it
// does nothing.
func (e *env) assertDenied(command string) {
	e.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	cmd := exec.Command(program("landmark"), command, "-admin-socket", e.adminSocket(), "epg")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 3 || !strings.Contains(string(out), "not uid 65534") {
		e.t.Errorf("%s by another user: got exit code %d, %s, want 3 and \"not uid 65534\"", command, cmd.ProcessState.ExitCode(), out)
	}
}

// A drain whose wait is interrupted stays.
func TestInterruptedDrainWaitKeepsDrain(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg("500ms")
	waiting := prepare(t, program("landmark"), "drain", "-wait", "1h", "-admin-socket", e.adminSocket(), "epg")
	stdout, err := waiting.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	waiting.start()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || !strings.Contains(line, "waiting") {
		t.Fatalf("output of drain -wait: got %q, %v, want a line with \"waiting\"", line, err)
	}
	if code := waiting.terminate(); code != 5 {
		t.Errorf("exit code of an interrupted drain -wait: got %d, want 5", code)
	}
	waiting.awaitLine("epg stays drained until landmark resume epg")
	if got, want := checkUDP(e, "epg"), "NOT_SERVING draining"; got != want {
		t.Errorf("after the interrupt: got %q, want %q", got, want)
	}
}

// landmark exits with each code that it documents, and prints one line that says
// what to do.
func TestLandmarkExitCodes(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	if got, _ := e.landmark(0, "status"); !strings.HasPrefix(got, "There is no service") {
		t.Errorf("status without a service: got %q, want \"There is no service\"", got)
	}
	e.epg("500ms")
	for _, tt := range []struct {
		code int
		args string
		says string
	}{
		{1, "status -no-such-flag", "landmark help status"},
		{3, "status missing", `"missing"`},
		{3, "status epg-liveness", "means the liveness"},
		{3, "watch missing", `"missing"`},
		{3, "history missing", `"missing"`},
		{3, "drain missing", `"missing"`},
		{3, "resume missing", `"missing"`},
	} {
		out, errs := e.landmark(tt.code, strings.Fields(tt.args)...)
		if out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, tt.says) {
			t.Errorf("%s: got %q, %q, want one line of error with %q", tt.args, out, errs, tt.says)
		}
	}
	if code, out, errs := runProgram(t, program("landmark"), "-version"); code != 0 || out != "landmark e2e\n" || errs != "" {
		t.Errorf("-version: got exit code %d, %q, %q, want 0 and landmark e2e", code, out, errs)
	}
	if code, _, errs := runProgram(t, program("landmark"), "status", "-addr", e.monitor); code != 2 || !strings.Contains(errs, "give -addr") {
		t.Errorf("status at the wrong port: got exit code %d, %q, want 2 and \"give -addr\"", code, errs)
	}

	e.sidecar.signal(syscall.SIGSTOP)
	begun := time.Now()
	if _, errs := e.landmark(2, "status", "epg"); !strings.Contains(errs, "no answer") && !strings.Contains(errs, "did not answer") {
		t.Errorf("status of a stopped landmarkd: got %q, want \"no answer\" or \"did not answer\"", errs)
	}
	assertWithin(t, time.Since(begun), 7*time.Second, "status of a stopped landmarkd")
	e.sidecar.signal(syscall.SIGCONT)
	e.sidecar.terminate()
	for _, what := range []string{"status", "watch", "history", "drain", "resume"} {
		if _, errs := e.landmark(2, what, "epg"); !strings.Contains(errs, "check that it runs") {
			t.Errorf("%s without a landmarkd: got %q, want \"check that it runs\"", what, errs)
		}
	}
}
