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

// landmark runs the operator's tool on the house, and returns what it told; it
// must exit with the given code.
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
		e.t.Errorf("landmark %q exits with %d, want %d:\n%s%s", args, code, want, stdout, stderr)
	}
	return stdout, stderr
}

func (e *env) adminSocket() string { return filepath.Join(filepath.Dir(e.socket), "admin.sock") }

// wantLine fails the test unless a line of the text matches.
func wantLine(t *testing.T, text, pattern string) {
	t.Helper()
	if !regexp.MustCompile(`(?m)^` + pattern + `$`).MatchString(text) {
		t.Errorf("no line is like\n%s\nin\n%s", pattern, text)
	}
}

// Why was it taken out in the night? The history says so once it is over.
func TestHistoryShowsWedge(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("500ms")
	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	status, _ := e.landmark(0, "status", "epg")
	wantLine(t, status, `epg +NOT_SERVING +stalled +0% +NOT_SERVING +\d+ ms +\d.* main loop last answered .* ago, allowed 500 ms`)
	wantLine(t, status, `main loop +loop +failing +critical +asked, last answered .* ago +allowed 500 ms`)
	server.signal(syscall.SIGUSR2)
	e.await(checkUDP, "epg", "SERVING none")

	status, _ = e.landmark(0, "status")
	wantLine(t, status, `epg +SERVING +- +\d+% +SERVING +\d+ ms +\S+ ms +by 1, \d+ ms ago`)
	history, _ := e.landmark(0, "history", "epg")
	const at = `(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{3}`
	wantLine(t, history, at+` +NOT_SERVING +stalled +0% +NOT_SERVING +\d.* main loop last answered .* ago, allowed 500 ms`)
	wantLine(t, history, ` +failing main loop \(loop, critical\): asked, last answered .* ago, allowed 500 ms`)
	wantLine(t, history, at+` +SERVING +- +\d+% +SERVING +\S+ ms so far`)
	if rows := strings.Split(history, "\n"); !strings.Contains(rows[0], "SINCE") || !strings.Contains(rows[len(rows)-2], "so far") {
		t.Errorf("the history does not end with the present:\n%s", history)
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
		t.Errorf("in JSON the last but one change is %+v", last)
	}
}

// watched is a landmark watch that runs.
type watched struct {
	*process
	pipe *os.File
	out  *bufio.Scanner
}

func (e *env) watch(args ...string) watched {
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
	return watched{p, read, bufio.NewScanner(read)}
}

// want reads the next line, which must match.
func (w watched) want(pattern string) {
	w.t.Helper()
	w.pipe.SetReadDeadline(time.Now().Add(testTimeout))
	if !w.out.Scan() {
		w.t.Fatalf("landmark watch tells no more: %v; want %q", w.out.Err(), pattern)
	}
	wantLine(w.t, w.out.Text(), pattern)
}

// A watch tells each change, and goes on when landmarkd was restarted.
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
	all.want(`.* epg  SERVING +- +\d+%`) // its first answer was late, so not yet the whole weight
	one.want(`\{.*"STATUS_SERVING".*`)

	for _, w := range []watched{all, one} {
		w.signal(syscall.SIGINT)
		<-w.exited
		if code := w.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("interrupted, landmark watch exits with %d", code)
		}
	}
}

// An operator drains and resumes; the program lives on, and a restart of it
// changes nothing.
func TestOperatorDrainOutlivesProgram(t *testing.T) {
	parallel(t)
	e := newLimitedEnv(t)
	server, _ := e.epg("500ms")
	all := e.watch()
	all.want(`.* epg  SERVING .*`)

	begun := time.Now()
	if out, _ := e.landmark(0, "drain", "-wait", "300ms", "epg"); out != "epg is drained; waiting 300 ms for its connections to finish\n" {
		t.Errorf("drain says %q", out)
	}
	if took := time.Since(begun); took < 300*time.Millisecond {
		t.Errorf("drain waited for %v, want 300 ms", took)
	}
	if told := checkUDP(e, "epg"); told != "NOT_SERVING draining" {
		t.Errorf("drained, epg is %s", told)
	}
	if told := checkUDP(e, "epg-liveness"); told != "SERVING none" {
		t.Errorf("drained, its liveness is %s", told)
	}
	all.want(`.* epg  NOT_SERVING +draining +0%  drained by an operator`)
	if out, _ := e.landmark(0, "drain", "epg"); out != "epg was drained already\n" {
		t.Errorf("drain says %q", out)
	}
	server.kill()
	all.want(`.* epg  NOT_SERVING +lost .*; drained by an operator, too`)
	start(t, program("epgd"), "-listen", freeAddress(t), "-agent-socket", e.socket, "-within", "500ms")
	e.await(checkUDP, "epg", "NOT_SERVING draining")

	e.strangerMayNot("resume")
	if out, _ := e.landmark(0, "resume", "epg"); out != "epg is resumed\n" {
		t.Errorf("resume says %q", out)
	}
	e.await(checkUDP, "epg", "SERVING none")
	e.strangerMayNot("drain")
	if out, _ := e.landmark(0, "resume", "epg"); out != "epg was not drained by an operator\n" {
		t.Errorf("resume says %q", out)
	}
}

// strangerMayNot has another user try, where there can be one.
func (e *env) strangerMayNot(what string) {
	e.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	rawConn := exec.Command(program("landmark"), what, "-admin-socket", e.adminSocket(), "epg")
	rawConn.Dir = "/"
	rawConn.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, _ := rawConn.CombinedOutput(); rawConn.ProcessState.ExitCode() != 3 || !strings.Contains(string(out), "not uid 65534") {
		e.t.Errorf("%s by a stranger: exit code %d, %s", what, rawConn.ProcessState.ExitCode(), out)
	}
}

// Who cannot wait ends the wait, and not the drain.
func TestInterruptedDrainWaitKeepsDrain(t *testing.T) {
	e := newEnv(t)
	e.epg("500ms")
	waiting := prepare(t, program("landmark"), "drain", "-wait", "1h", "-admin-socket", e.adminSocket(), "epg")
	told, err := waiting.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	waiting.start()
	if line, err := bufio.NewReader(told).ReadString('\n'); err != nil || !strings.Contains(line, "waiting") {
		t.Fatalf("it says %q: %v", line, err)
	}
	if code := waiting.terminate(); code != 5 {
		t.Errorf("landmark drain, interrupted, exits with %d, want 5", code)
	}
	waiting.awaitLine("epg stays drained until landmark resume epg")
	if told := checkUDP(e, "epg"); told != "NOT_SERVING draining" {
		t.Errorf("then epg is %s", told)
	}
}

// Each exit code that the tool documents, and one line that says what to do.
func TestLandmarkExitCodes(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	if out, _ := e.landmark(0, "status"); !strings.HasPrefix(out, "There is no service") {
		t.Errorf("without a service: %q", out)
	}
	e.epg("500ms")
	for _, tt := range []struct {
		code int
		args string
		says string
	}{
		{1, "status -no-such-flag", "landmark help status"},
		{3, "status nobody", `"nobody"`},
		{3, "status epg-liveness", "means the liveness"},
		{3, "watch nobody", `"nobody"`},
		{3, "history nobody", `"nobody"`},
		{3, "drain nobody", `"nobody"`},
		{3, "resume nobody", `"nobody"`},
	} {
		out, errs := e.landmark(tt.code, strings.Fields(tt.args)...)
		if out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, tt.says) {
			t.Errorf("%s: %q, %q, want one line that says %q", tt.args, out, errs, tt.says)
		}
	}
	if code, out, errs := runProgram(t, program("landmark"), "-version"); code != 0 || out != "landmark e2e\n" || errs != "" {
		t.Errorf("-version: exit code %d, %q, %q", code, out, errs)
	}
	if code, _, errs := runProgram(t, program("landmark"), "status", "-addr", e.monitor); code != 2 || !strings.Contains(errs, "give -addr") {
		t.Errorf("at the wrong port: exit code %d, %q", code, errs)
	}

	e.sidecar.signal(syscall.SIGSTOP)
	begun := time.Now()
	if _, errs := e.landmark(2, "status", "epg"); !strings.Contains(errs, "no answer") && !strings.Contains(errs, "did not answer") {
		t.Errorf("of a frozen landmarkd: %q", errs)
	}
	assertWithin(t, time.Since(begun), 7*time.Second, "the wait for a frozen landmarkd")
	e.sidecar.signal(syscall.SIGCONT)
	e.sidecar.terminate()
	for _, what := range []string{"status", "watch", "history", "drain", "resume"} {
		if _, errs := e.landmark(2, what, "epg"); !strings.Contains(errs, "see that it runs") {
			t.Errorf("%s without a landmarkd: %q", what, errs)
		}
	}
}
