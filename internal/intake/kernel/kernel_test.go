package kernel

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// behaviour is the environment variable that makes the test program a process which
// behaves so, on its main thread.
const behaviour = "LANDMARK_TEST_BEHAVIOUR"

func init() {
	if os.Getenv(behaviour) != "" {
		runtime.LockOSThread() // main runs on the main thread
	}
}

func TestMain(m *testing.M) {
	if how := os.Getenv(behaviour); how != "" {
		behave(how)
		return
	}
	goleak.VerifyTestMain(m)
}

// behave says "ready" and then does what the name says, until the process is killed.
func behave(how string) {
	var fds [2]int
	unix.Pipe(fds[:])
	full := make([]byte, 1<<20)
	os.Stdout.WriteString("ready\n")
	for {
		switch how {
		case "spin":
			for n := uint64(0); ; n++ {
				spun.Store(n)
			}
		case "worker":
			go func() {
				runtime.LockOSThread()
				for n := uint64(0); ; n++ {
					spun.Store(n)
				}
			}()
			unix.Read(fds[0], full)
		case "pipe":
			unix.Read(fds[0], full)
		case "full pipe":
			unix.Write(fds[1], full)
		case "lock":
			var word uint32
			unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), 0, 0, 0, 0, 0)
		case "file lock":
			// The parent holds it.
			f, err := os.OpenFile(os.Getenv("LANDMARK_TEST_FILE"), os.O_RDWR, 0)
			if err == nil {
				unix.Flock(int(f.Fd()), unix.LOCK_EX)
			}
		case "sleep":
			unix.Nanosleep(&unix.Timespec{Sec: 3600}, nil)
		case "socket":
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err == nil {
				unix.Read(pair[0], full)
			}
		case "events":
			unix.Poll([]unix.PollFd{{Fd: int32(fds[0]), Events: unix.POLLIN}}, -1)
		case "child":
			c, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}})
			if err == nil {
				unix.Wait4(c.Pid, nil, 0, nil)
			}
		}
	}
}

var spun atomic.Uint64

// start runs the test program with the behaviour, and waits until it begins with it.
func start(t *testing.T, how string, env ...string) (id evidence.Process, cmd *exec.Cmd) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), behaviour+"="+how), env...)
	// Its parent is in another group, else the kernel discards SIGTSTP where the tests run
	// without a terminal (setpgid(2), orphaned process groups).
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	return evidence.Process{PID: cmd.Process.Pid, Exited: func() bool { return cmd.Process.Signal(syscall.Signal(0)) != nil }}, cmd
}

// await reads the process until its summary begins with one of the wanted texts.
func await(t *testing.T, id evidence.Process, want ...string) *process {
	t.Helper()
	var got string
	for range 100 {
		p, err := read(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		got = p.summary()
		for _, w := range want {
			if strings.HasPrefix(got, w) {
				return p
			}
		}
	}
	t.Fatalf("the summary is %q, want %q", got, want)
	return nil
}

// Real processes, each of which does one thing.
func TestProcesses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	held, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ how, want string }{
		{"spin", "main thread spinning, "},
		{"pipe", "main thread waiting to read from a pipe (read)"},
		{"full pipe", "main thread waiting to write to a pipe (write)"},
		{"lock", "main thread blocked in a lock (futex)"},
		{"file lock", "main thread waiting for a file lock (flock)"},
		{"sleep", "main thread sleeping (nanosleep)"},
		{"socket", "main thread waiting to read from a socket (read)"},
		{"events", "main thread waiting for events (p"},
		{"child", "main thread waiting for a child process (wait4)"},
		{"worker", "main thread waiting to read from a pipe (read); thread "},
	} {
		t.Run(tt.how, func(t *testing.T) {
			id, _ := start(t, tt.how, "LANDMARK_TEST_FILE="+file)
			p := await(t, id, tt.want)
			if tt.how == "spin" || tt.how == "worker" {
				if s := p.summary(); !strings.Contains(s, "spinning") || !strings.Contains(s, "% of a core") {
					t.Error(s)
				}
			}
			if text := p.text(); !strings.HasPrefix(text, fmt.Sprintf("process %d %q, threads: ", id.PID, p.name)) ||
				!strings.Contains(text, fmt.Sprintf("\n\tmain thread %d ", id.PID)) || !strings.HasSuffix(text, "]\n") {
				t.Errorf("the text is\n%s", text)
			}
		})
	}
}

// A process that is stopped, by whatever signal, says nothing of itself.
func TestStoppedProcess(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGTSTP} {
		id, cmd := start(t, "spin")
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		p := await(t, id, p0(t, id)+" stopped by a signal ("+unix.SignalName(signal)+")", p0(t, id)+" stopped by a signal (SIGSTOP or Ctrl-Z)")
		if strings.Contains(p.summary(), "spinning") {
			t.Error(p.summary())
		}
	}
}

// p0 returns the name of the process.
func p0(t *testing.T, id evidence.Process) string {
	t.Helper()
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", id.PID))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(name))
}

// An idle program of Go does not look as if it were blocked in a lock.
func TestIdleGoProgram(t *testing.T) {
	id, _ := start(t, "lock")
	id.Goroutines = true
	await(t, id, "no thread works; main thread blocked in a lock (futex), where idle threads of a Go program wait")
}

// What has the number of a process that has exited is never read.
func TestExitedProcess(t *testing.T) {
	id := evidence.Process{PID: os.Getpid(), Exited: func() bool { return true }}
	if _, err := read(t.Context(), id); err != errExited {
		t.Error(err)
	}
	calls := 0
	id.Exited = func() bool { calls++; return calls > 1 } // exits while it is read
	if _, err := read(t.Context(), id); err != errExited {
		t.Error(err)
	}
	if _, err := read(t.Context(), evidence.Process{}); err != errInvisible {
		t.Error(err)
	}
	if _, err := read(t.Context(), evidence.Process{PID: os.Getpid()}); err != errUnknown {
		t.Error(err)
	}
}

// A process with very many threads costs no more than maxThreads do.
func TestManyThreads(t *testing.T) {
	p := &process{pid: 1, name: "x", threads: make([]thread, maxThreads), unread: 1000}
	for i := range p.threads {
		p.threads[i] = thread{id: i, main: i == 0, name: "worker with a long name", state: 'S', waitsIn: strings.Repeat("f", 64)}
	}
	text := p.text()
	if n := strings.Count(text, "\n"); n != maxLines+2 || !strings.Contains(text, fmt.Sprintf("and %d more threads\n", 1000+maxThreads-maxLines)) {
		t.Errorf("%d lines:\n%s", n, text)
	}
	if len(text) > evidence.MaxText/4 {
		t.Errorf("the text has %d bytes", len(text))
	}
}

// The server makes evidence of a process that begins to fail, and it appears in the
// registry.
func TestServer(t *testing.T) {
	r := registry.New(clock.New(), 0)
	s := New(Config{r, slog.New(slog.DiscardHandler)})
	ended := make(chan error, 1)
	stop := background(t, s, ended)
	defer stop()
	id, _ := start(t, "pipe")
	await(t, id, "main thread waiting to read from a pipe (read)")
	session, err := r.Open(registry.AgentID{Service: "app", Instance: "a", UID: 1}, noLink{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Disconnect()
	session.SetProcess(id)
	session.Declare([]judge.Declared{{Name: "watchdog", Kind: judge.KindAlive, Impact: judge.ImpactCritical, Within: time.Second}})
	if err := session.Report([]registry.Fact{{Reached: true, Age: 2 * time.Second}}, 0); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(time.Minute)
	for r.LatestEvidence("app") == 0 {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatal("no evidence came")
		}
	}
	all, _ := r.Evidence("app")
	if e := all[0]; e.Source != evidence.Kernel || e.PID != id.PID || e.Instance != "a" || e.Landmarks[0] != "watchdog" ||
		e.Change == 0 || !strings.HasPrefix(e.Summary, "main thread waiting to read from a pipe (read)") {
		t.Errorf("%+v", e)
	}
}

// background runs the server until the returned function is called.
func background(t *testing.T, s *Server, ended chan error) (stop func()) {
	ctx, cancel := contextOf(t)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

type noLink struct{}

func (noLink) GetState(uint64) {}
func (noLink) End(error)       {}
func (noLink) CaughtUp() bool  { return true }
func (noLink) HasEnded() bool  { return false }

// More failures than can be read are counted, and delay nothing. One user's leave the
// others theirs.
func TestTooManyFailures(t *testing.T) {
	s := New(Config{registry.New(clock.New(), 0), slog.New(slog.DiscardHandler)})
	for range 10 * userBurst {
		s.enqueue(registry.Failure{UID: 1})
	}
	if len(s.failures) != userBurst || s.skipped.Load() != 9*userBurst {
		t.Errorf("%d wait, %d are skipped", len(s.failures), s.skipped.Load())
	}
	for uid := range uint32(10 * allBurst) {
		s.enqueue(registry.Failure{UID: uid})
	}
	if len(s.failures) != allBurst {
		t.Errorf("%d wait, want %d", len(s.failures), allBurst)
	}
}

func TestLimiter(t *testing.T) {
	l := newLimiter()
	now := time.Now()
	count := func(uid uint32, tries int) (taken int) {
		for range tries {
			if l.take(uid, now) {
				taken++
			}
		}
		return taken
	}
	if n := count(1, 100); n != userBurst {
		t.Errorf("one user: %d", n)
	}
	if n := count(2, 1); n != 1 {
		t.Error("another user has none")
	}
	now = now.Add(time.Second)
	if n := count(1, 100); n != userPerSecond {
		t.Errorf("one user a second later: %d", n)
	}
	now = now.Add(time.Hour)
	all := 0
	for uid := range uint32(2 * maxUsers) {
		all += count(uid, 1)
	}
	if all != allBurst || len(l.users) > maxUsers {
		t.Errorf("all users: %d; %d are remembered", all, len(l.users))
	}
}

// That processes were not read is logged once in a while, with their number.
func TestSkippedIsLogged(t *testing.T) {
	var log strings.Builder
	s := New(Config{registry.New(clock.New(), 0), slog.New(slog.NewTextHandler(&log, nil))})
	now := time.Now()
	s.logSkipped(now)
	s.skipped.Add(7)
	s.logSkipped(now)
	s.skipped.Add(5)
	s.logSkipped(now.Add(logInterval - 1))
	if got := strings.Count(log.String(), "\n"); got != 1 || !strings.Contains(log.String(), "processes=7") {
		t.Errorf("the log is\n%s", &log)
	}
	s.logSkipped(now.Add(logInterval))
	if !strings.Contains(log.String(), "processes=5") {
		t.Errorf("the log is\n%s", &log)
	}
}
