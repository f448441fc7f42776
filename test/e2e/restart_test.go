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
func listen(h *house) *listener {
	ctx, stop := context.WithCancel(h.t.Context())
	l := &listener{t: h.t, stop: stop}
	l.done.Go(func() {
		for ctx.Err() == nil {
			asking, cancel := context.WithTimeout(ctx, 5*time.Second)
			outages := l.outages.Load()
			a, err := probe.Ask(asking, probe.Question{Network: "udp", Address: h.monitor, Kind: lmp.KindCheck, Service: "epg"})
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
	for deadline := time.Now().Add(patience); l.good.Load() < want; time.Sleep(observed) {
		if time.Now().After(deadline) {
			l.t.Fatalf("the listener had %d good answers in %v, want %d", l.good.Load(), patience, want)
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
func TestSidecarRestart(t *testing.T) {
	parallel(t)
	h := newHouse(t)
	server, _ := h.epg(usual)
	asking := listen(h)
	for range 3 {
		var started time.Time
		asking.outage(func() {
			h.sidecar.kill()
			started = time.Now()
			h.start()
		})
		h.await(checkUDP, "epg", "SERVING none")
		took := time.Since(started)
		t.Logf("the truth came back %v after the start", took.Round(time.Millisecond))
		within(t, took, time.Second, "the truth after the start")
		asking.answered(1)
	}
	asking.end()

	// The truth is not always SERVING.
	server.signal(syscall.SIGUSR1)
	h.await(checkUDP, "epg", "NOT_SERVING stalled")
	h.sidecar.kill()
	started := time.Now()
	h.start()
	if told := checkUDP(h, "epg"); told != "NOT_SERVING stalled" {
		t.Errorf("the first answer about a wedged program after a restart is %q", told)
	}
	within(t, time.Since(started), time.Second, "the first answer")
}

// A sidecar that was itself stopped calls nobody stale.
func TestSidecarPaused(t *testing.T) {
	parallel(t)
	h := newHouse(t)
	h.epg(usual)
	asking := listen(h)
	for _, pause := range []time.Duration{300 * time.Millisecond, 2 * time.Second, 6 * time.Second} {
		asking.outage(func() {
			h.sidecar.signal(syscall.SIGSTOP)
			time.Sleep(pause)
			h.sidecar.signal(syscall.SIGCONT)
		})
		asking.answered(100)
	}
	asking.end()
}

// A sidecar that is stopped before the agents have come back to it does not take
// that for their silence.
func TestSidecarPausedAtItsStart(t *testing.T) {
	parallel(t)
	h := newHouse(t)
	h.epg(usual)
	asking := listen(h)
	for range 3 {
		asking.outage(func() {
			h.sidecar.kill()
			h.start()
			h.sidecar.signal(syscall.SIGSTOP)
			time.Sleep(1500 * time.Millisecond)
			h.sidecar.signal(syscall.SIGCONT)
		})
		h.await(checkUDP, "epg", "SERVING none")
		asking.answered(1)
	}
	asking.end()
}

// A SIGTERM ends landmarkd cleanly while a Watch is open, which hears of no
// change.
func TestSidecarStopsWithWatchOpen(t *testing.T) {
	h := newHouse(t)
	h.epg(usual)
	conn, err := grpc.NewClient("passthrough:///"+h.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watch, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{Service: "epg"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := watch.Recv()
	if err != nil || first.Status != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("the first message is %v, %v", first, err)
	}
	asking := listen(h)
	asking.answered(1)
	asking.outages.Add(1) // which does not end
	if code := h.sidecar.terminate(); code != 0 {
		t.Errorf("landmarkd ended with exit code %d", code)
	}
	if next, err := watch.Recv(); err == nil {
		t.Errorf("while landmarkd stopped, the watch was told %v", next.Status)
	}
	asking.end()
}

// What died or froze while the sidecar itself was stopped is told by its first
// answer.
func TestSidecarPausedHearsWhatItMissed(t *testing.T) {
	parallel(t)
	for _, missed := range []struct {
		what   syscall.Signal
		answer string
	}{
		{syscall.SIGKILL, "NOT_SERVING lost"},
		{syscall.SIGSTOP, "NOT_SERVING stale"},
		{syscall.SIGUSR1, "NOT_SERVING stalled"},
	} {
		h := newHouse(t)
		server, _ := h.epg(usual)
		h.sidecar.signal(syscall.SIGSTOP)
		server.signal(missed.what)
		time.Sleep(3 * time.Second)
		h.sidecar.signal(syscall.SIGCONT)
		if told := checkUDP(h, "epg"); told != missed.answer {
			t.Errorf("of a program that got %v meanwhile the first answer is %q, want %q", missed.what, told, missed.answer)
		}
	}
}
