package sdnotify

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/logtest"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sdnotify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// child starts a process that does nothing, and returns its number.
func child(t *testing.T) *os.Process {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Process.Wait() })
	return cmd.Process
}

// fixture is a server in fake time, whose datagrams come from no socket. Its processes
// exist, but /proc says of them what the test sets.
type fixture struct {
	*Server
	t        *testing.T
	registry *registry.Registry
	log      logtest.Buffer

	mu    sync.Mutex
	procs map[int]procStat // guarded by mu
}

// run calls test in fake time.
func run(t *testing.T, config Config, test func(f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, config)
		test(f)
	})
}

func newFixture(t *testing.T, config Config) *fixture {
	t.Helper()
	c := clock.New()
	f := &fixture{t: t, registry: registry.New(c, 0), procs: make(map[int]procStat)}
	config.Registry, config.Logger = f.registry, slog.New(slog.NewTextHandler(&f.log, nil))
	if config.Processes == 0 {
		config.Processes, config.PerUser = 10, 10
	}
	var err error
	if f.Server, err = New(config); err != nil {
		t.Fatal(err)
	}
	f.readStat = f.stat
	f.file.now = func() uint64 { return uint64(time.Now().UnixMicro()) }
	f.registry.BeginGrace()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx, func() bool { return true }) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		f.stop()
		f.Close()
	})
	return f
}

func (f *fixture) stat(pid int) (procStat, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.procs[pid]
	if !ok {
		return s, fs.ErrNotExist
	}
	return s, nil
}

// setProc sets what /proc says of a process: its state and parent.
func (f *fixture) setProc(pid int, state byte, parent int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.procs[pid] = procStat{state: state, parent: parent, start: 1}
}

// process starts a process, whose parent is the init process.
func (f *fixture) process() *os.Process {
	p := child(f.t)
	f.setProc(p.Pid, 'S', 1)
	return p
}

// end kills the process, and has its exit handled.
func (f *fixture) end(p *os.Process) {
	p.Kill()
	p.Wait()
	f.forget(p.Pid)
	for _, known := range f.all() {
		if known.pid == p.Pid {
			f.exited(known)
		}
	}
}

// forget makes /proc say that there is no such process.
func (f *fixture) forget(pid int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.procs, pid)
}

// send handles a notification for the service, sent just now.
func (f *fixture) send(service string, pid int, uid uint32, lines ...string) error {
	return f.sendLate(0, service, pid, uid, lines...)
}

// sendLate is send for a notification that has waited to be handled.
func (f *fixture) sendLate(waited time.Duration, service string, pid int, uid uint32, lines ...string) error {
	d := &sdnotify.Datagram{Data: []byte(strings.Join(lines, "\n")), PID: pid, UID: uid, Received: time.Now(), Waited: waited}
	_, err := f.handle(&receiver{server: f.Server, service: service}, d, senderOf(uid, pid))
	return err
}

// mustSend is send for a notification without a mistake.
func (f *fixture) mustSend(service string, pid int, lines ...string) {
	f.t.Helper()
	if err := f.send(service, pid, 0, lines...); err != nil {
		f.t.Fatalf("%q: %v", lines, err)
	}
}

// What answer returns.
const (
	serving  = "SERVING"
	draining = "draining"
	starting = "starting"
)

// answer returns what is answered about the name.
func (f *fixture) answer(name string) string {
	synctest.Wait()
	a, _ := f.registry.Lookup([]byte(name), 0)
	if a.Status == judge.Serving {
		return "SERVING"
	}
	return a.Cause.String()
}

// expect checks what is answered about readiness and liveness of the service.
func (f *fixture) expect(service, when, readiness, liveness string) {
	f.t.Helper()
	if got := f.answer(service); got != readiness {
		f.t.Errorf("%s: readiness is %s, want %s", when, got, readiness)
	}
	if got := f.answer(service + "-liveness"); got != liveness {
		f.t.Errorf("%s: liveness is %s, want %s", when, got, liveness)
	}
}

func (f *fixture) sleep(d time.Duration) { time.Sleep(d) }

// reason returns the reason for the answer about the name.
func (f *fixture) reason(name string) string {
	a, _ := f.registry.Lookup([]byte(name), 0)
	return a.Reason()
}

func temporary(t *testing.T) string { return filepath.Join(t.TempDir(), "notify.json") }
