//go:build e2e

package e2e_test

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// listener asks without pause and keeps every answer that was not SERVING.
type listener struct {
	t    *testing.T
	stop context.CancelFunc
	done sync.WaitGroup
	told []string     // what was not SERVING, and errors outside outages
	good atomic.Int64 // how many answers were SERVING

	outages atomic.Int64 // counts beginnings and ends of outages
}

// listen begins to ask by LMP over UDP.
func listen(e *env) *listener {
	ctx, stop := context.WithCancel(e.t.Context())
	l := &listener{t: e.t, stop: stop}
	l.done.Go(func() {
		for ctx.Err() == nil {
			asking, cancel := context.WithTimeout(ctx, 5*time.Second)
			outages := l.outages.Load()
			a, err := probe.Do(asking, probe.Request{Network: "udp", Address: e.monitor, Kind: lmp.KindCheck, Service: "epg"})
			cancel()
			switch {
			case err != nil && (ctx.Err() != nil || outages%2 != 0 || outages != l.outages.Load()):
			case err != nil:
				l.told = append(l.told, "error: "+err.Error())
			case a.Status == lmp.StatusServing:
				l.good.Add(1)
			default:
				l.told = append(l.told, a.Status.String()+" "+a.Cause.String())
			}
		}
	})
	return l
}

// outage does what the sidecar cannot answer during. A question that it meets may
// have no answer.
func (l *listener) outage(do func()) {
	l.outages.Add(1)
	do()
	l.outages.Add(1)
}

// answered waits until the listener has had as many more good answers.
func (l *listener) answered(more int64) {
	l.t.Helper()
	want := l.good.Load() + more
	for deadline := time.Now().Add(testTimeout); l.good.Load() < want; time.Sleep(observed) {
		if time.Now().After(deadline) {
			l.t.Fatalf("the listener had %d good answers in %v, want %d", l.good.Load(), testTimeout, want)
		}
	}
}

// end stops asking, and holds that something was answered, and nothing but SERVING.
func (l *listener) end() {
	l.t.Helper()
	l.stop()
	l.done.Wait()
	if len(l.told) > 0 {
		l.t.Errorf("of a healthy program it was told: %q", l.told)
	}
	if l.good.Load() == 0 {
		l.t.Error("nothing was ever answered")
	}
}

// A sidecar that is killed and started again has the truth within a second,
// and at no time tells anybody that a healthy program is not.
func TestSidecarRestartRestoresVerdict(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg(defaultWithin)
	asking := listen(e)
	for range 3 {
		var started time.Time
		asking.outage(func() {
			e.sidecar.kill()
			started = time.Now()
			e.start()
		})
		e.await(checkUDP, "epg", "SERVING none")
		took := time.Since(started)
		t.Logf("the truth came back %v after the start", took.Round(time.Millisecond))
		assertWithin(t, took, time.Second, "the truth after the start")
		asking.answered(1)
	}
	asking.end()

	// The truth is not always SERVING.
	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	e.sidecar.kill()
	started := time.Now()
	e.start()
	if told := checkUDP(e, "epg"); told != "NOT_SERVING stalled" {
		t.Errorf("the first answer about a wedged program after a restart is %q", told)
	}
	assertWithin(t, time.Since(started), time.Second, "the first answer")
}

// A sidecar that was itself stopped calls nobody stale.
func TestSidecarPauseKeepsServing(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg(defaultWithin)
	asking := listen(e)
	for _, pause := range []time.Duration{300 * time.Millisecond, 2 * time.Second, 6 * time.Second} {
		asking.outage(func() {
			e.sidecar.signal(syscall.SIGSTOP)
			time.Sleep(pause)
			e.sidecar.signal(syscall.SIGCONT)
		})
		asking.answered(100)
	}
	asking.end()
}

// A sidecar that is stopped before the agents have come back to it does not take
// that for their silence.
func TestSidecarPauseAtStartKeepsServing(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg(defaultWithin)
	asking := listen(e)
	for range 3 {
		asking.outage(func() {
			e.sidecar.kill()
			e.start()
			e.sidecar.signal(syscall.SIGSTOP)
			time.Sleep(1500 * time.Millisecond)
			e.sidecar.signal(syscall.SIGCONT)
		})
		e.await(checkUDP, "epg", "SERVING none")
		asking.answered(1)
	}
	asking.end()
}

// A SIGTERM ends landmarkd cleanly while a Watch is open, which hears of no
// change.
func TestSidecarStopsWithWatchOpen(t *testing.T) {
	e := newEnv(t)
	e.epg(defaultWithin)
	conn, err := grpc.NewClient("passthrough:///"+e.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	watch, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{Service: "epg"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := watch.Recv()
	if err != nil || first.Status != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("the first message is %v, %v", first, err)
	}
	asking := listen(e)
	asking.answered(1)
	asking.outages.Add(1) // which does not end
	if code := e.sidecar.terminate(); code != 0 {
		t.Errorf("landmarkd ended with exit code %d", code)
	}
	if next, err := watch.Recv(); err == nil {
		t.Errorf("while landmarkd stopped, the watch was told %v", next.Status)
	}
	asking.end()
}

// What died or froze while the sidecar itself was stopped is told by its first
// answer.
func TestSidecarPauseFirstAnswerIsCurrent(t *testing.T) {
	parallel(t)
	for _, missed := range []struct {
		what   syscall.Signal
		answer string
	}{
		{syscall.SIGKILL, "NOT_SERVING lost"},
		{syscall.SIGSTOP, "NOT_SERVING stale"},
		{syscall.SIGUSR1, "NOT_SERVING stalled"},
	} {
		e := newEnv(t)
		server, _ := e.epg(defaultWithin)
		e.sidecar.signal(syscall.SIGSTOP)
		server.signal(missed.what)
		time.Sleep(3 * time.Second)
		e.sidecar.signal(syscall.SIGCONT)
		if told := checkUDP(e, "epg"); told != missed.answer {
			t.Errorf("of a program that got %v meanwhile the first answer is %q, want %q", missed.what, told, missed.answer)
		}
	}
}
