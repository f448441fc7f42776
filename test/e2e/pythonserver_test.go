//go:build e2e

package e2e_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// debianPython returns the path of Debian's Python, if it has gRPC.
func debianPython(t *testing.T) string {
	t.Helper()
	const path = "/usr/bin/python3" // not one that stands before it in the PATH
	if exec.Command(path, "-c", "import grpc, google.protobuf").Run() == nil {
		return path
	}
	const remedy = "Python with gRPC is missing: sudo apt-get install -y --no-install-recommends python3-grpcio"
	if os.Getenv("CI") != "" {
		t.Fatal(remedy)
	}
	t.Skip(remedy)
	return ""
}

// preparePython returns the process of a Python program, which leaves no files behind.
func preparePython(t *testing.T, args ...string) *process {
	t.Helper()
	p := prepare(t, debianPython(t), args...)
	p.cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=../../agent/python")
	return p
}

// pythonServer starts the EPG server in Python, and waits until it serves.
func (e *env) pythonServer(within string) (server *process, address string) {
	e.t.Helper()
	address = freeAddress(e.t)
	server = preparePython(e.t, "../../examples/epgd-python/epgd.py", "-listen", address, "-agent-socket", e.socket, "-within", within)
	server.start()
	e.await(checkUDP, "epg", "SERVING none")
	server.awaitLine("serving programmes")
	return server, address
}

// A program in Python has its own cause when it hangs, is frozen, stops and is killed, and
// epgd gets programmes from it while it serves.
func TestPythonServer(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, address := e.pythonServer(defaultWithin)
	checks := allChecks(t, e)
	wantProgramme(t, address, true)
	e.awaitAll(checks, "NOT_SERVING stalled", server.signal(syscall.SIGUSR1), 600*time.Millisecond)
	wantProgramme(t, address, false)
	e.awaitAll(checks, "SERVING none", server.signal(syscall.SIGUSR2), 600*time.Millisecond)
	wantProgramme(t, address, true)
	server.signal(syscall.SIGSTOP)
	e.awaitAny(checkUDP, "epg", "NOT_SERVING stale", "NOT_SERVING stalled")
	server.signal(syscall.SIGCONT)
	e.await(checkUDP, "epg", "SERVING none")
	server.kill()
	e.await(checkUDP, "epg", "NOT_SERVING lost")

	server, _ = e.pythonServer(defaultWithin)
	if code := server.terminate(); code != 0 {
		t.Errorf("SIGTERM: got exit code %d, want 0", code)
	}
	e.await(checkUDP, "epg", "NOT_SERVING stopped")
	server, _ = e.pythonServer(defaultWithin)
	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	if code := server.terminate(); code != 0 {
		t.Errorf("SIGTERM of a hung server: got exit code %d, want 0", code)
	}
	e.await(checkUDP, "epg", "NOT_SERVING stopped")
}

// The main loop itself answers the get-state command: a check with a maxAge gets its
// answer, and detects a hang before the loop's Within is over.
func TestPythonLoopAnswersMaxAge(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.pythonServer("60s")
	fresh := checkLMP("udp", time.Millisecond)
	for range 50 {
		if got, want := fresh(e, "epg"), "SERVING none"; got != want {
			t.Fatalf("healthy loop: got %q, want %q", got, want)
		}
	}
	server.signal(syscall.SIGUSR1)
	server.awaitLine("the main loop hangs")
	time.Sleep(10 * time.Millisecond) // now the loop's last answer is older than maxAge
	if got, want := fresh(e, "epg"), "NOT_SERVING stalled"; got != want {
		t.Errorf("hung loop: got %q, want %q", got, want)
	}
	if got, want := checkUDP(e, "epg"), "SERVING none"; got != want {
		t.Errorf("hung loop, without maxAge: got %q, want %q", got, want)
	}
	server.signal(syscall.SIGUSR2)
	e.await(fresh, "epg", "SERVING none")
}

// A restart of landmarkd is not noticed while the program works, and does not hide that
// it hangs.
func TestPythonServerOverRestart(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.pythonServer(defaultWithin)
	serveOverRestarts(e, server)
}

// pythonLandmarks runs each line of its standard input as a statement.
const pythonLandmarks = `
import sys, landmark
marks = landmark.Set()
queue = marks.level_above("queue", 10, 20)
table = marks.condition("table")
answering = marks.deadline("answering", 0.5)
agent = landmark.start("epg", marks, socket=sys.argv[1])
for line in sys.stdin:
	exec(line)
`

// The landmarks of all kinds mean what they mean in Go.
func TestPythonLandmarks(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	program := preparePython(t, "-c", pythonLandmarks, e.socket)
	stdin, err := program.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	program.start()
	for _, step := range []struct{ statement, want, reason string }{
		{"pass", "NOT_SERVING starting", ""},
		{"table.set(True); queue.set(0)", "SERVING 100", ""},
		{"queue.set(15)", "SERVING 50", ""},
		{"queue.set(float('nan'))", "SERVING 1", ""},
		{"queue.set(1)", "SERVING 100", ""},
		{"table.set(False, 'no tä' + 'b' * 300)", "NOT_SERVING failed", "table does not hold: no täb+$"},
		{"table.set(True)", "SERVING 100", ""},
		{"a, b = answering.begin(), answering.begin()", "NOT_SERVING stalled", "answering began .* ago and has not ended, allowed "},
		{"a.end(); a.end()", "NOT_SERVING stalled", "answering began .* ago and has not ended, allowed "},
		{"b.end()", "SERVING 100", ""},
		{"agent.drain()", "NOT_SERVING draining", ""},
		{"agent.resume()", "SERVING 100", ""},
		{"tuner = marks.alive('tuner', 2)", "NOT_SERVING starting", ""},
		{"tuner.reach()", "SERVING 100", ""},
		{"pass", "NOT_SERVING stalled", "tuner last passed .* ago, allowed 2 s$"},
		{"tuner.reach()", "SERVING 100", ""},
		{"agent.close()", "NOT_SERVING stopped", ""},
	} {
		fmt.Fprintln(stdin, step.statement)
		e.await(checkWeight, "epg", step.want)
		if got := describe(e, "epg"); !regexp.MustCompile("^" + step.reason).MatchString(got) {
			t.Errorf("%s: the reason is %q, want %q", step.statement, got, step.reason)
		}
	}
	stdin.(io.Closer).Close()
	<-program.exited
	if code := program.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code of the program: got %d, want 0", code)
	}
}

// A program that holds the interpreter's lock keeps its agent from reporting too.
func TestPythonThatHoldsTheLockIsStale(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	program := preparePython(t, "-c", pythonLandmarks, e.socket)
	stdin, err := program.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	program.start()
	fmt.Fprintln(stdin, "table.set(True)")
	e.await(checkUDP, "epg", "SERVING none")
	fmt.Fprintln(stdin, "import ctypes; ctypes.PyDLL(None).sleep(4)") // PyDLL keeps the lock
	e.await(checkUDP, "epg", "NOT_SERVING stale")
	e.await(checkUDP, "epg", "SERVING none")
}

// landmarkd's refusal is logged, even by a program that does not set up logging. This one
// does not check the name itself.
func TestPythonLogsRefusal(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	program := preparePython(t, "-c", "import landmark, time; landmark._check_service = str; landmark.start('epg-liveness', landmark.Set(), socket='"+e.socket+"'); time.sleep(60)")
	program.start()
	program.awaitLine("refused this program; retrying every 5 s: hello.service")
}

// wantProgramme asserts that a client gets a programme, or none, from the server.
func wantProgramme(t *testing.T, address string, want bool) {
	t.Helper()
	code, _, stderr := runProgram(t, program("epgd"), "-ask", address)
	if (code == 0) != want {
		t.Errorf("epgd -ask: got exit code %d, %s, want a programme: %t", code, stderr, want)
	}
}

// pythonNames starts an agent with each name in its arguments, and prints how that fails.
const pythonNames = `
import os, sys, landmark
for service, instance in [(n, "a") for n in sys.argv[1:]] + [("epg", " " * 129), ("epg", "\n")]:
	try:
		landmark.start(service, landmark.Set(), instance=instance, socket="/none")
		print("none")
	except ValueError as e:
		print(e)
sys.stdout.flush()
os._exit(0)
`

// A name that landmarkd would refuse is refused where the program starts the agent.
func TestPythonRefusesNames(t *testing.T) {
	parallel(t)
	program := preparePython(t, "-c", pythonNames, "epg", "E.p_g-2", "", "-epg", "e pg", "\u00e9pg", "epg\n", strings.Repeat("e", 91), "liveness", "epg-startup")
	got, err := program.cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	const name, aspect, instance = "landmark: service .*: a name is .*\n", "landmark: service .*: means an aspect .*\n", "landmark: instance .*: a name is .*\n"
	if want := "^(none\n){2}(" + name + "){6}(" + aspect + "){2}(" + instance + "){2}$"; !regexp.MustCompile(want).Match(got) {
		t.Errorf("got\n%s\nwant %s", got, want)
	}
}
