package e2e_test

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// listener asks without pause and keeps every answer that was not SERVING.
type listener struct {
	stop chan struct{}
	done sync.WaitGroup
	told []string
	good int
}

// listen begins to ask by LMP over UDP, each question with a second's patience
// as a balancer has.
func listen(h *house) *listener {
	l := &listener{stop: make(chan struct{})}
	l.done.Go(func() {
		for {
			select {
			case <-l.stop:
				return
			default:
			}
			switch told := checkUDP(h, "epg"); {
			case told == "SERVING none":
				l.good++
			case strings.HasPrefix(told, "error"): // nobody there to answer
			default:
				l.told = append(l.told, told)
			}
		}
	})
	return l
}

func (l *listener) end() { close(l.stop); l.done.Wait() }

// A sidecar that is killed and started again has the truth within a second,
// and at no time tells anybody that a healthy program is not.
func TestSidecarRestart(t *testing.T) {
	h := newHouse(t)
	server, _ := h.epg("500ms")
	asking := listen(h)
	for range 3 {
		h.sidecar.kill()
		started := time.Now()
		h.start()
		h.await(checkUDP, "epg", "SERVING none")
		took := time.Since(started)
		t.Logf("the truth came back %v after the start", took.Round(time.Millisecond))
		if took > time.Second {
			t.Errorf("the truth came back %v after the start, allowed 1 s", took)
		}
	}
	asking.end()
	if len(asking.told) > 0 {
		t.Errorf("of a healthy program it was told: %q", asking.told)
	}
	if asking.good == 0 {
		t.Error("nothing was ever answered")
	}

	// The truth is not always SERVING.
	server.signal(syscall.SIGUSR1)
	h.await(checkUDP, "epg", "NOT_SERVING stalled")
	h.sidecar.kill()
	started := time.Now()
	h.start()
	if told := checkUDP(h, "epg"); told != "NOT_SERVING stalled" {
		t.Errorf("the first answer about a wedged program after a restart is %q", told)
	}
	if took := time.Since(started); took > time.Second {
		t.Errorf("it took %v, allowed 1 s", took)
	}
}

// A sidecar that was itself stopped calls nobody stale.
func TestSidecarPaused(t *testing.T) {
	h := newHouse(t)
	h.epg("500ms")
	asking := listen(h)
	for _, pause := range []time.Duration{300 * time.Millisecond, 2 * time.Second, 6 * time.Second} {
		h.sidecar.signal(syscall.SIGSTOP)
		time.Sleep(pause)
		h.sidecar.signal(syscall.SIGCONT)
		h.await(checkUDP, "epg", "SERVING none")
		time.Sleep(time.Second)
	}
	asking.end()
	if len(asking.told) > 0 {
		t.Errorf("of a healthy program it was told: %q", asking.told)
	}
}

// A sidecar that is stopped before the agents have come back to it does not take
// that for their silence.
func TestSidecarPausedAtItsStart(t *testing.T) {
	h := newHouse(t)
	h.epg("500ms")
	asking := listen(h)
	for range 3 {
		h.sidecar.kill()
		h.start()
		h.sidecar.signal(syscall.SIGSTOP)
		time.Sleep(1500 * time.Millisecond)
		h.sidecar.signal(syscall.SIGCONT)
		h.await(checkUDP, "epg", "SERVING none")
	}
	asking.end()
	if len(asking.told) > 0 {
		t.Errorf("of a healthy program it was told: %q", asking.told)
	}
}

// A SIGTERM ends landmarkd cleanly while a Watch is open, which hears of no
// change.
func TestSidecarStopsWithWatchOpen(t *testing.T) {
	h := newHouse(t)
	h.epg("500ms")
	conn, err := grpc.NewClient("passthrough:///"+h.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
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
	if code := h.sidecar.terminate(); code != 0 {
		t.Errorf("landmarkd ended with exit code %d", code)
	}
	if next, err := watch.Recv(); err == nil {
		t.Errorf("while landmarkd stopped, the watch was told %v", next.Status)
	}
	asking.end()
	if len(asking.told) > 0 {
		t.Errorf("while landmarkd stopped, of a healthy program it was told: %q", asking.told)
	}
}

// What died or froze while the sidecar itself was stopped is told by its first
// answer.
func TestSidecarPausedHearsWhatItMissed(t *testing.T) {
	for _, missed := range []struct {
		what   syscall.Signal
		answer string
	}{
		{syscall.SIGKILL, "NOT_SERVING lost"},
		{syscall.SIGSTOP, "NOT_SERVING stale"},
		{syscall.SIGUSR1, "NOT_SERVING stalled"},
	} {
		h := newHouse(t)
		server, _ := h.epg("500ms")
		h.sidecar.signal(syscall.SIGSTOP)
		server.signal(missed.what)
		time.Sleep(3 * time.Second)
		h.sidecar.signal(syscall.SIGCONT)
		if told := checkUDP(h, "epg"); told != missed.answer {
			t.Errorf("of a program that got %v meanwhile the first answer is %q, want %q", missed.what, told, missed.answer)
		}
	}
}
