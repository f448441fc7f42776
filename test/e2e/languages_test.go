//go:build e2e

package e2e_test

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A language is one for which docs/languages.md has a program.
type language struct {
	fence string // of the program in the document
	file  string // to write the program to
	// build is the command that builds the program, and run the one that runs it. They are
	// called in the directory of the file.
	build, run []string
	// needs is the program without which the language is left out, and pkg its Debian
	// package, if test/debian/install installs it.
	needs, pkg string
	// goodbye means that SIGTERM ends the program cleanly.
	goodbye bool
}

var languages = []language{
	{fence: "c", file: "main.c", needs: "cc", pkg: "gcc",
		build: []string{"cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-I", "AGENT/c", "-o", "main", "main.c"}, run: []string{"./main"}},
	{fence: "c++", file: "main.cc", needs: "c++", pkg: "g++",
		build: []string{"c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-I", "AGENT/c", "-o", "main", "main.cc"}, run: []string{"./main"}},
	{fence: "python", file: "main.py", needs: "/usr/bin/python3", pkg: "python3-grpcio",
		run: []string{"/usr/bin/python3", "main.py"}, goodbye: true},
	{fence: "rust", file: "main.rs", needs: "rustc",
		build: []string{"rustc", "-D", "warnings", "-o", "main", "main.rs"}, run: []string{"./main"}},
	{fence: "java", file: "Main.java", needs: "javac",
		build: []string{"javac", "-Xlint:all", "-Werror", "Main.java"}, run: []string{"java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "Main"}},
	{fence: "js", file: "main.js", needs: "node", run: []string{"node", "main.js"}, goodbye: true},
	{fence: "sh", file: "main.sh", needs: "systemd-notify", pkg: "systemd", run: []string{"/bin/sh", "main.sh"}, goodbye: true},
}

// notifySocket returns the path of the shared socket for notifications.
func (e *env) notifySocket() string { return filepath.Join(filepath.Dir(e.socket), "notify.sock") }

// environment returns the environment of a program that reports to e through any door.
func (e *env) environment() []string {
	agents, err := filepath.Abs("../../agent/python")
	if err != nil {
		e.t.Fatal(err)
	}
	return append(os.Environ(), "LANDMARK_SOCKET="+e.socket, "LANDMARK_NOTIFY_SOCKET="+e.notifySocket(),
		"NOTIFY_SOCKET="+e.notifySocket(), "PYTHONPATH="+agents, "PYTHONDONTWRITEBYTECODE=1")
}

// A codeBlock is a fenced block of a document.
var codeBlock = regexp.MustCompile("(?ms)^```([a-z+]+)\n(.*?)^```$")

// program builds the language's program in the document, and returns its process, not
// started. It skips the test where the language is missing.
func (l language) program(e *env, document string) *process {
	t := e.t
	t.Helper()
	switch {
	case l.pkg == "":
		if _, err := exec.LookPath(l.needs); err != nil {
			t.Skipf("there is no %s", l.needs) // its package is too big to install for this
		}
	case l.fence == "python":
		debianPython(t)
	default:
		debian(t, l.needs, l.pkg)
	}
	var code []string
	for _, block := range codeBlock.FindAllStringSubmatch(document, -1) {
		if block[1] == l.fence {
			code = append(code, block[2])
		}
	}
	if len(code) != 1 {
		t.Fatalf("docs/languages.md has %d programs in %s, want 1", len(code), l.fence)
	}
	agents, err := filepath.Abs("../../agent")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, l.file), code[0])
	if len(l.build) > 0 {
		build := exec.Command(l.build[0], l.build[1:]...)
		for i, arg := range build.Args {
			build.Args[i] = strings.Replace(arg, "AGENT", agents, 1)
		}
		build.Dir = dir
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building the program: %v\n%s", err, out)
		}
	}
	p := prepare(t, l.run[0], l.run[1:]...)
	p.cmd.Dir, p.cmd.Env = dir, e.environment()
	return p
}

// The programs in docs/languages.md pass their landmarks again and again, over a restart
// of landmarkd too. They are not SERVING when they are frozen or have ended.
func TestProgramsInDocument(t *testing.T) {
	parallel(t)
	text, err := os.ReadFile("../../docs/languages.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range languages {
		t.Run(l.fence, func(t *testing.T) {
			parallel(t)
			e := newEnv(t)
			program := l.program(e, string(text))
			program.start()
			e.await(checkUDP, "epg", "SERVING none")
			e.awaitPasses("epg")
			e.sidecar.kill()
			e.start()
			e.await(checkUDP, "epg", "SERVING none")
			e.awaitPasses("epg")

			program.signal(syscall.SIGSTOP)
			e.awaitAny(checkUDP, "epg", "NOT_SERVING stale", "NOT_SERVING stalled")
			program.signal(syscall.SIGCONT)
			e.await(checkUDP, "epg", "SERVING none")
			if l.goodbye {
				program.terminate()
				e.await(checkUDP, "epg", "NOT_SERVING stopped")
			} else {
				program.kill()
				e.await(checkUDP, "epg", "NOT_SERVING lost")
			}
		})
	}
}

// awaitPasses waits until the program has passed its landmark twice more, as landmark
// status shows.
func (e *env) awaitPasses(service string) {
	e.t.Helper()
	count := regexp.MustCompile(`"count": *"(\d+)"`)
	first := -1
	for deadline := time.Now().Add(testTimeout); ; time.Sleep(50 * time.Millisecond) {
		status, _ := e.landmark(0, "status", "-o", "json", service)
		if found := count.FindStringSubmatch(status); found != nil {
			n, _ := strconv.Atoi(found[1])
			if first < 0 {
				first = n
			}
			if n >= first+2 {
				return
			}
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("after %v the landmark was not passed twice:\n%s", testTimeout, status)
		}
	}
}

// event is what happens to a program.
type event struct {
	name    string
	signal  syscall.Signal
	answers string // a pattern of those by LMP from SERVING on
	alive   bool   // the process lives on
}

var events = []event{
	{"killed", syscall.SIGKILL, "SERVING none, NOT_SERVING lost", false},
	{"hung", syscall.SIGUSR1, "SERVING none, NOT_SERVING stalled", true},
	{"frozen", syscall.SIGSTOP, "SERVING none, (NOT_SERVING stalled, )?NOT_SERVING stale", true},
	{"stopped", syscall.SIGTERM, "SERVING none, (NOT_SERVING draining, )?NOT_SERVING stopped", false},
}

// tableWithin is the Within of the programs in the table.
func tableWithin() string {
	if strictTimes {
		return "1s" // as in the document
	}
	return defaultWithin
}

// notifyingLoop is a main loop in shell that only speaks sd_notify, with the watchdog.
// SIGUSR1 makes it hang until SIGUSR2.
const notifyingLoop = `
notify() { systemd-notify --no-block --pid=$$ "$@"; }
trap 'hung=1; while [ "$hung" ]; do sleep 0.05; done' USR1
trap 'hung=' USR2
trap 'notify STOPPING=1; exit' TERM
notify --ready WATCHDOG_USEC="$1"
while sleep 0.1; do notify WATCHDOG=1; done`

// A tableProgram is a row of the table in docs/languages.md: a program of the service
// "epg".
type tableProgram struct {
	name string
	// prepare returns the end of the service's configuration, from the value of instances
	// on, and a function that starts the program. "" means the defaults.
	prepare func(e *env) (lines string, start func() *process)
	// hang makes the main loop hang and returns when. nil means SIGUSR1.
	hang func(p *process) time.Time
	// active means that landmarkd checks it actively. It then does not know why there is no
	// answer, and liveness stays as it is.
	active bool
}

var tablePrograms = []tableProgram{
	{name: "Go", prepare: func(e *env) (string, func() *process) {
		return "", func() *process { server, _ := e.epg(tableWithin()); return server }
	}},
	{name: "C", prepare: func(e *env) (string, func() *process) {
		return "", func() *process { server, _ := e.cServer(tableWithin()); return server }
	}},
	{name: "Python", prepare: func(e *env) (string, func() *process) {
		return "", func() *process { server, _ := e.pythonServer(tableWithin()); return server }
	}},
	{name: "sd_notify", prepare: func(e *env) (string, func() *process) {
		debian(e.t, "systemd-notify", "systemd")
		within, err := time.ParseDuration(tableWithin())
		if err != nil {
			e.t.Fatal(err)
		}
		socket := filepath.Join(filepath.Dir(e.socket), "epg.sock")
		return "all\n    notify_socket: " + socket + "\n", func() *process {
			p := prepare(e.t, "/bin/sh", "-c", notifyingLoop, "sh", fmt.Sprint(within.Microseconds()))
			p.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
			p.start()
			return p
		}
	}},
	{name: "redis, unchanged", active: true, prepare: func(e *env) (string, func() *process) {
		redis, socket := debian(e.t, "redis-server", "redis-server"), filepath.Join(filepath.Dir(e.socket), "redis.sock")
		lines := "none\n    probe:\n      unix: " + socket + "\n      every: 1s\n      within: " + tableWithin() + "\n" +
			"      steps:\n        - send: \"PING\\r\\n\"\n        - expect: \"+PONG\"\n"
		return lines, func() *process {
			return start(e.t, redis, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", filepath.Dir(socket), "--enable-debug-command", "yes")
		}
	}, hang: func(p *process) time.Time {
		p.t.Helper()
		conn, err := net.Dial("unix", p.cmd.Args[slices.Index(p.cmd.Args, "--unixsocket")+1])
		if err != nil {
			p.t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprint(conn, "DEBUG SLEEP 60\r\n"); err != nil {
			p.t.Fatal(err)
		}
		return time.Now()
	}},
}

// A cell of the table is the causes that are answered after an event, and how long after
// each event the first was answered.
type cell struct {
	causes string
	took   []time.Duration
}

func (c cell) String() string {
	least, most := slices.Min(c.took).Milliseconds(), slices.Max(c.took).Milliseconds()
	if least == most {
		return fmt.Sprintf("%d ms: %s", most, c.causes)
	}
	return fmt.Sprintf("%d–%d ms: %s", least, most, c.causes)
}

// What checkers get for programs that are killed, hung, frozen and stopped, in each
// language: the same answers, in the same order. The times are only printed, because they
// depend on the machine.
func TestTableOfLanguages(t *testing.T) {
	parallel(t)
	repeats := 1
	if strictTimes {
		repeats = 5
	}
	cells := make([][]cell, len(tablePrograms))
	t.Run("programs", func(t *testing.T) {
		for i, program := range tablePrograms {
			t.Run(program.name, func(t *testing.T) {
				parallel(t)
				e := prepareEnv(t)
				lines, start := program.prepare(e)
				file := filepath.Join(t.TempDir(), "landmarkd.yaml")
				write(t, file, "services:\n  epg:\n    instances: "+cmp.Or(lines, "all\n"))
				e.start("-config", file)
				for _, event := range events {
					var c cell
					for range repeats {
						server := start()
						e.await(checkUDP, "epg", "SERVING none")
						causes, took := e.observeEvent(server, program, event)
						c.causes, c.took = causes, append(c.took, took)
						server.signal(syscall.SIGCONT)
						server.kill()
					}
					cells[i] = append(cells[i], c)
				}
			})
		}
	})
	table := "|"
	for _, event := range events {
		table += " | " + event.name
	}
	table += " |\n|---" + strings.Repeat("|---", len(events)) + "|\n"
	for i, program := range tablePrograms {
		if len(cells[i]) < len(events) {
			continue // left out, or failed
		}
		table += "| " + program.name
		for _, c := range cells[i] {
			table += " | " + c.String()
		}
		table += " |\n"
	}
	t.Log("What checkers get, where the main loop must answer within " + tableWithin() + ":\n" + table)
}

// observeEvent sends the event's signal and asserts what checkers get. It returns the
// causes that are answered one after the other, and how long after the event the last check of all began that was answered
// SERVING.
func (e *env) observeEvent(server *process, program tableProgram, event event) (causes string, took time.Duration) {
	t := e.t
	t.Helper()
	checks := map[string]checkFunc{
		"lmp over UDP": checkLMP("udp", 0),
		"lmp over TCP": checkLMP("tcp", 0),
		"line":         checkLine,
		"grpc Check":   checkGRPC(e),
	}
	var answers transitions // by LMP over UDP
	answers.add(checkUDP(e, "epg"))
	pattern, liveness := regexp.MustCompile("^("+event.answers+")$"), ""
	if program.active {
		pattern, liveness = regexp.MustCompile("^SERVING none, NOT_SERVING failed$"), "SERVING none"
	}
	var at time.Time
	if event.signal == syscall.SIGUSR1 && program.hang != nil {
		at = program.hang(server)
	} else {
		at = server.signal(event.signal)
	}
	var checking sync.WaitGroup
	var mu sync.Mutex // guards took
	for name, check := range checks {
		checking.Go(func() {
			last := at
			for time.Since(at) < testTimeout {
				begun := time.Now()
				got := check(e, "epg")
				if name == "lmp over UDP" {
					answers.add(got)
				}
				if !matches(got, "SERVING none") {
					break
				}
				last = begun
				pause()
			}
			mu.Lock()
			defer mu.Unlock()
			took = max(took, last.Sub(at))
		})
	}
	checking.Wait()
	for deadline := time.Now().Add(testTimeout); !pattern.MatchString(answers.String()); time.Sleep(checkInterval) {
		if answers.add(checkUDP(e, "epg")); time.Now().After(deadline) {
			t.Fatalf("%s: got %s, want %s", event.name, &answers, pattern)
		}
	}
	if got, want := checkUDP(e, "epg-liveness"), cmp.Or(liveness, answers.last()); got != want {
		t.Errorf("%s: liveness: got %s, want %s", event.name, got, want)
	}
	select {
	case <-server.exited:
		if event.alive {
			t.Errorf("%s: the process has ended", event.name)
		}
	default:
	}
	_, causes, _ = strings.Cut(answers.String(), ", ") // SERVING comes first
	return strings.NewReplacer("NOT_SERVING ", "", ", ", ", then ").Replace(causes), took
}
