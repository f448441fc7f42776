package lmp

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// A source that hangs blocks the loop that answers.
type hangingSource struct {
	*registry.Registry
	asked  chan struct{} // receives a value for each lookup
	resume chan struct{} // lets each lookup continue
}

func (s hangingSource) Lookup(name []byte, maxAge time.Duration) (registry.Answer, bool) {
	s.asked <- struct{}{}
	<-s.resume
	return s.Registry.Lookup(name, maxAge)
}

// The UDP loop turns between requests, and not while it hangs in one. A turn costs no
// request its answer.
func TestTurn(t *testing.T) {
	r, _ := newRegistry(t)
	source := hangingSource{r, make(chan struct{}), make(chan struct{})}
	s := serve(t, Config{Address: "127.0.0.1:0", Source: source})
	for range 3 {
		if err := s.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c := newUDPClient(t, s.addr("127.0.0.1"))
	q := check(t, "epg")
	answered := make(chan []byte)
	go func() { answered <- c.request(s.addr("127.0.0.1"), q) }()
	<-source.asked
	hung, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Turn(hung); err != context.DeadlineExceeded {
		t.Errorf("while the loop hangs: got %v, want %v", err, context.DeadlineExceeded)
	}
	source.resume <- struct{}{}
	wantAnswer(t, parseAnswer(t, <-answered, q), lmp.StatusServing, lmp.CauseNone)
	for range 3 {
		if err := s.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// A loop that never finds its socket empty turns nevertheless.
func TestTurnInFlood(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var flood sync.WaitGroup
	defer flood.Wait()
	defer stop()
	for range 3 {
		conn := s.dial(t, "udp")
		flood.Go(func() {
			for ctx.Err() == nil {
				conn.Write(nil) // an empty datagram, which is malformed
			}
		})
	}
	for range 20 {
		if err := s.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s.counts()[malformed] == 0 {
		t.Error("there was no flood")
	}
}

// A server that is closed does not turn.
func TestNoTurnAfterClose(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	s.stop()
	if err := s.Turn(t.Context()); err == nil {
		t.Error("got no error")
	}
}
