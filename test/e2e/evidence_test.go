//go:build e2e

package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// evidence returns what landmark history -evidence shows of the service.
func (e *env) evidence(service string) string {
	e.t.Helper()
	text, _ := e.landmark(0, "history", "-evidence", "-admin-socket", e.adminSocket(), service)
	return text
}

// awaitEvidence waits until the evidence has all the texts, and returns it.
func (e *env) awaitEvidence(service string, want ...string) (text string) {
	e.t.Helper()
	for end := time.Now().Add(testTimeout); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		text = e.evidence(service)
		missing := false
		for _, w := range want {
			missing = missing || !strings.Contains(text, w)
		}
		if !missing {
			return text
		}
	}
	e.t.Fatalf("the evidence of %s is\n%s\nwant %q", service, text, want)
	return ""
}

// The evidence names the function in which the main loop of epgd hangs, and what the
// kernel says of the process. Only those who may drain the service see it.
func TestEvidenceOfAHang(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("1s")
	if text := e.evidence("epg"); !strings.HasPrefix(text, "There is no evidence") {
		t.Errorf("a healthy program has evidence:\n%s", text)
	}
	server.signal(syscall.SIGUSR1)
	text := e.awaitEvidence("epg", ", by its agent: ", ", by the kernel: ")
	pid := server.cmd.Process.Pid
	for _, want := range []string{
		"NOT_SERVING stalled  main loop last answered ",
		fmt.Sprintf(" (process %d), by its agent: \"main loop\" is in main.(*mainLoop).hang (loop.go:", pid),
		"), waiting to receive from a channel\n        goroutine of \"main loop\": waiting to receive from a channel\n            main.(*mainLoop).hang\n",
		"            main.(*mainLoop).run\n",
		fmt.Sprintf(" (process %d), by the kernel: ", pid),
		fmt.Sprintf("        process %d \"epgd\", threads: ", pid),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the evidence has no %q:\n%s", want, text)
		}
	}
	// An episode has one capture, however long it lasts.
	time.Sleep(time.Second)
	if n := strings.Count(e.evidence("epg"), ", by its agent: "); n != 1 {
		t.Errorf("there are %d captures of one hang", n)
	}
	server.signal(syscall.SIGUSR2)
	e.await(checkUDP, "epg", "SERVING none")
	e.awaitEvidence("epg", "main.(*mainLoop).hang") // it stays in the history

	var document struct {
		Evidence []struct{ Source, Summary, Text string }
	}
	out, _ := e.landmark(0, "history", "-evidence", "-o", "json", "-admin-socket", e.adminSocket(), "epg")
	if err := json.Unmarshal([]byte(out), &document); err != nil || len(document.Evidence) < 2 {
		t.Errorf("%v:\n%s", err, out)
	}

	// No front end shows it.
	for _, args := range [][]string{{"history", "-o", "json", "epg"}, {"status", "-o", "json", "epg"}} {
		if out, _ := e.landmark(0, args...); strings.Contains(out, "mainLoop") || strings.Contains(out, "goroutine") {
			t.Errorf("landmark %s shows stacks:\n%s", args[0], out)
		}
	}
	if os.Geteuid() == 0 {
		e.shareSocket()
		cmd := exec.Command(program("landmark"), "history", "-evidence", "-admin-socket", e.adminSocket(), "epg")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "or see its evidence, not uid 65534") {
			t.Errorf("another user gets %v:\n%s", err, out)
		}
	}
}

// shareSocket lets every user reach the sockets and run the programs.
func (e *env) shareSocket() {
	for _, path := range []string{e.socket, program("landmark")} {
		for dir := filepath.Dir(path); strings.HasPrefix(dir, os.TempDir()) && dir != os.TempDir(); dir = filepath.Dir(dir) {
			os.Chmod(dir, 0o755)
		}
	}
}

// A program that is stopped says nothing of itself, and the kernel says why.
func TestEvidenceOfAStoppedProgram(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("1s")
	server.signal(syscall.SIGSTOP)
	text := e.awaitEvidence("epg", ", by the kernel: epgd stopped by a signal (SIGSTOP")
	if strings.Contains(text, "by its agent") {
		t.Errorf("a stopped program has captured something:\n%s", text)
	}
	server.signal(syscall.SIGCONT)
	e.await(checkUDP, "epg", "SERVING none")
}

// hangSource is a program in C that reports by notifications, and at SIGUSR1 hangs as its
// argument says.
const hangSource = `
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static volatile sig_atomic_t wanted;
static void want(int n) { (void)n; wanted = 1; }

int main(int argc, char **argv)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), ends[2];
	static const char alive[] = "READY=1\nWATCHDOG=1\n";
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	char c;

	if (argc < 3 || pipe(ends))
		return 1;
	strncpy(to.sun_path, argv[2], sizeof to.sun_path - 1);
	signal(SIGUSR1, want);
	while (!wanted) {
		sendto(s, alive, sizeof alive - 1, 0, (struct sockaddr *)&to, sizeof to);
		usleep(50000);
	}
	pthread_mutex_lock(&lock);
	for (;;) {
		if (!strcmp(argv[1], "spin"))
			for (;;)
				wanted++;
		if (!strcmp(argv[1], "lock"))
			pthread_mutex_lock(&lock);
		if (!strcmp(argv[1], "pipe"))
			(void)!read(ends[0], &c, 1);
		pause();
	}
}
`

// hangScript is the same in Python.
const hangScript = `
import os, signal, socket, sys, threading, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
hang = []
signal.signal(signal.SIGUSR1, lambda *_: hang.append(1))
while not hang:
    s.sendto(b"READY=1\nWATCHDOG=1\n", sys.argv[2])
    time.sleep(0.05)
if sys.argv[1] == "spin":
    while True:
        pass
if sys.argv[1] == "lock":
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
os.read(os.pipe()[0], 1)
`

// hangs are how a program may hang, and what the kernel says of that.
var hangs = []struct {
	how    string
	signal syscall.Signal
	says   string
}{
	{"spin", syscall.SIGUSR1, "by the kernel: main thread spinning, "},
	{"lock", syscall.SIGUSR1, "by the kernel: main thread blocked in a lock (futex)"},
	{"pipe", syscall.SIGUSR1, "by the kernel: main thread waiting to read from a pipe (read)"},
	{"stop", syscall.SIGSTOP, " stopped by a signal (SIGSTOP"},
}

// Programs in any language, which have no agent.
func TestEvidenceInAnyLanguage(t *testing.T) {
	parallel(t)
	for _, l := range []struct {
		name    string
		command func(t *testing.T) []string
	}{
		{"c", func(t *testing.T) []string {
			cc := debian(t, "cc", "gcc")
			dir := t.TempDir()
			write(t, filepath.Join(dir, "hang.c"), hangSource)
			binary := filepath.Join(dir, "hang")
			if out, err := exec.Command(cc, "-O2", "-pthread", "-o", binary, filepath.Join(dir, "hang.c")).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			return []string{binary}
		}},
		{"python", func(t *testing.T) []string {
			return []string{debian(t, "python3", "python3"), "-c", hangScript}
		}},
	} {
		t.Run(l.name, func(t *testing.T) {
			parallel(t)
			command := l.command(t)
			e := newNotifyEnv(t, "    watchdog: 1s\n")
			for _, h := range hangs {
				p := prepare(t, command[0], append(command[1:], h.how, e.notifySocket)...)
				p.start()
				e.await(checkUDP, "app", "SERVING none")
				p.signal(h.signal)
				text := e.awaitEvidence("app", fmt.Sprintf(" (process %d), by the kernel: ", p.cmd.Process.Pid), h.says)
				if h.how == "spin" {
					wantLine(t, text, ` .*by the kernel: main thread spinning, \d+ % of a core.*`)
				}
				p.signal(syscall.SIGCONT)
				p.kill()
				e.await(checkUDP, "app", "NOT_SERVING lost")
			}
		})
	}
}
