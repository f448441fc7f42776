//go:build e2e

package e2e_test

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// poller checks a service without pause and keeps every answer that is not
// SERVING.
type poller struct {
	t          *testing.T
	stop       context.CancelFunc
	running    sync.WaitGroup
	unexpected []string     // answers that were not SERVING, and errors outside outages
	serving    atomic.Int64 // how many answers were SERVING

	outages atomic.Int64 // counts beginnings and ends of outages
}

// startPoller starts to check by LMP over UDP.
func startPoller(e *env) *poller {
	ctx, stop := context.WithCancel(e.t.Context())
	p := &poller{t: e.t, stop: stop}
	p.running.Go(func() {
		for ctx.Err() == nil {
			checking, cancel := context.WithTimeout(ctx, 5*time.Second)
			outages := p.outages.Load()
			a, err := probe.Do(checking, probe.Request{Network: "udp", Address: e.monitor, Kind: lmp.KindCheck, Service: "epg"})
			cancel()
			switch {
			case err != nil && (ctx.Err() != nil || outages%2 != 0 || outages != p.outages.Load()):
			case err != nil:
				p.unexpected = append(p.unexpected, "error: "+err.Error())
			case a.Status == lmp.StatusServing:
				p.serving.Add(1)
			default:
				p.unexpected = append(p.unexpected, a.Status.String()+" "+a.Cause.String())
			}
		}
	})
	return p
}

// outage calls a function during which the sidecar cannot answer. A check that
// overlaps it may get no answer.
func (p *poller) outage(do func()) {
	p.outages.Add(1)
	do()
	p.outages.Add(1)
}

// awaitServing waits for n more answers that are SERVING.
func (p *poller) awaitServing(n int64) {
	p.t.Helper()
	want := p.serving.Load() + n
	for deadline := time.Now().Add(testTimeout); p.serving.Load() < want; time.Sleep(checkInterval) {
		if time.Now().After(deadline) {
			p.t.Fatalf("after %v: got %d answers SERVING, want %d", testTimeout, p.serving.Load(), want)
		}
	}
}

// end stops checking, and asserts that there were answers and all were SERVING.
func (p *poller) end() {
	p.t.Helper()
	p.stop()
	p.running.Wait()
	if len(p.unexpected) > 0 {
		p.t.Errorf("got %q for a healthy program, want only SERVING", p.unexpected)
	}
	if p.serving.Load() == 0 {
		p.t.Error("got no answer, want at least one")
	}
}

// After a kill and a restart, the sidecar gives the correct verdict within a
// second, and never reports a healthy program as not serving.
func TestSidecarRestartRestoresVerdict(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg(defaultWithin)
	checks := startPoller(e)
	for range 3 {
		var started time.Time
		checks.outage(func() {
			e.sidecar.kill()
			started = time.Now()
			e.start()
		})
		e.await(checkUDP, "epg", "SERVING none")
		took := time.Since(started)
		t.Logf("SERVING %v after the start", took.Round(time.Millisecond))
		assertWithin(t, took, time.Second, "the start to SERVING")
		checks.awaitServing(1)
	}
	checks.end()

	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	e.sidecar.kill()
	started := time.Now()
	e.start()
	if got, want := checkUDP(e, "epg"), "NOT_SERVING stalled"; got != want {
		t.Errorf("first answer for a hung program after a restart: got %q, want %q", got, want)
	}
	assertWithin(t, time.Since(started), time.Second, "the start to the first answer")
}

// A sidecar that was itself stopped reports no program as stale.
func TestSidecarPauseKeepsServing(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg(defaultWithin)
	checks := startPoller(e)
	for _, pause := range []time.Duration{300 * time.Millisecond, 2 * time.Second, 6 * time.Second} {
		checks.outage(func() {
			e.sidecar.signal(syscall.SIGSTOP)
			time.Sleep(pause)
			e.sidecar.signal(syscall.SIGCONT)
		})
		checks.awaitServing(100)
	}
	checks.end()
}

// A sidecar that is stopped before the agents have reconnected does not count the
// pause as their silence.
func TestSidecarPauseAtStartKeepsServing(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg(defaultWithin)
	checks := startPoller(e)
	for range 3 {
		checks.outage(func() {
			e.sidecar.kill()
			e.start()
			e.sidecar.signal(syscall.SIGSTOP)
			time.Sleep(1500 * time.Millisecond)
			e.sidecar.signal(syscall.SIGCONT)
		})
		e.await(checkUDP, "epg", "SERVING none")
		checks.awaitServing(1)
	}
	checks.end()
}

// SIGTERM ends landmarkd with exit code 0 while a Watch is open. The Watch
// receives no change.
func TestSidecarStopsWithWatchOpen(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg(defaultWithin)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	watch, err := healthpb.NewHealthClient(e.dialGRPC()).Watch(ctx, &healthpb.HealthCheckRequest{Service: "epg"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := watch.Recv()
	if err != nil || first.Status != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("first message: got %v, %v, want SERVING", first, err)
	}
	checks := startPoller(e)
	checks.awaitServing(1)
	checks.outages.Add(1) // this outage does not end
	if code := e.sidecar.terminate(); code != 0 {
		t.Errorf("exit code of landmarkd: got %d, want 0", code)
	}
	if next, err := watch.Recv(); err == nil {
		t.Errorf("the Watch got %v while landmarkd stopped, want an error", next.Status)
	}
	checks.end()
}

// What happens to a program while the sidecar is stopped is in the sidecar's
// first answer.
func TestSidecarPauseFirstAnswerIsCurrent(t *testing.T) {
	parallel(t)
	for _, tt := range []struct {
		signal syscall.Signal
		want   string
	}{
		{syscall.SIGKILL, "NOT_SERVING lost"},
		{syscall.SIGSTOP, "NOT_SERVING stale"},
		{syscall.SIGUSR1, "NOT_SERVING stalled"},
	} {
		e := newEnv(t)
		server, _ := e.epg(defaultWithin)
		e.sidecar.signal(syscall.SIGSTOP)
		server.signal(tt.signal)
		time.Sleep(3 * time.Second)
		e.sidecar.signal(syscall.SIGCONT)
		if got := checkUDP(e, "epg"); got != tt.want {
			t.Errorf("first answer after %v of the program: got %q, want %q", tt.signal, got, tt.want)
		}
	}
}

// landmarkd is stopped, and then the program. When landmarkd continues, the
// reports in its socket were made before the program stopped: its first answers
// are that the program is stale.
func TestSidecarAndProgramStoppedIsStale(t *testing.T) {
	parallel(t)
	for _, pause := range []time.Duration{3 * time.Second, 5 * time.Second} {
		e := newEnv(t)
		server, _ := e.epg(defaultWithin)
		e.sidecar.signal(syscall.SIGSTOP)
		time.Sleep(600 * time.Millisecond)
		server.signal(syscall.SIGSTOP)
		time.Sleep(pause)
		e.sidecar.signal(syscall.SIGCONT)
		for _, name := range []string{"epg", "epg-liveness", ""} {
			if got, want := checkUDP(e, name), "NOT_SERVING stale"; got != want {
				t.Errorf("first answer for %q after a pause of %v: got %q, want %q", name, pause, got, want)
			}
		}
		server.signal(syscall.SIGCONT)
		e.await(checkUDP, "epg", "SERVING none")
	}
}

// serveOverRestarts fails the test if a restart of landmarkd is noticed while the server
// works, or hides that its main loop hangs.
func serveOverRestarts(e *env, server *process) {
	e.t.Helper()
	p := startPoller(e)
	p.awaitServing(10)
	for range 3 {
		p.outage(func() {
			e.sidecar.kill()
			e.start()
		})
		p.awaitServing(10)
	}
	p.stop()
	p.running.Wait()
	if len(p.unexpected) > 0 {
		e.t.Errorf("got %q, want only SERVING", p.unexpected)
	}
	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	e.sidecar.terminate()
	e.start()
	seen := observe(e, "epg")
	seen.await("NOT_SERVING stalled")
	server.signal(syscall.SIGUSR2)
	seen.await("SERVING 100")
	seen.end("(NOT_SERVING [a-z]+, )*NOT_SERVING stalled, SERVING 100", "(NOT_SERVING, |SERVICE_UNKNOWN, )*NOT_SERVING, SERVING")
}
