package lmp

import (
	"context"
	"io"
	"slices"
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

// Each loop turns between requests, and not while it hangs in one. A turn costs no
// request its answer.
func TestTurn(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			r, _ := newRegistry(t)
			source := hangingSource{r, make(chan struct{}), make(chan struct{})}
			s := serve(t, Config{Address: "127.0.0.1:0", Source: source})
			turn := map[string]func(context.Context) error{"udp": s.TurnUDP, "tcp": s.TurnTCP}[network]
			turnThrice := func() {
				t.Helper()
				for range 3 {
					if err := turn(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			turnThrice()
			conn, q := s.dial(t, network), check(t, "epg")
			write(t, conn, q)
			<-source.asked
			hung, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := turn(hung); err != context.DeadlineExceeded {
				t.Errorf("while the loop hangs: got %v, want %v", err, context.DeadlineExceeded)
			}
			source.resume <- struct{}{}
			wantAnswer(t, readAnswer(t, conn, q), lmp.StatusServing, lmp.CauseNone)
			turnThrice()
		})
	}
}

// A loop that never finds its sockets empty turns nevertheless.
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
		stream, requests := s.dial(t, "tcp"), slices.Concat(slices.Repeat([][]byte{check(t, "epg")}, 1000)...)
		flood.Go(func() {
			defer stream.Close()
			for ctx.Err() == nil {
				stream.Write(requests)
			}
		})
		flood.Go(func() { io.Copy(io.Discard, stream) })
	}
	for range 20 {
		for _, turn := range []func(context.Context) error{s.TurnUDP, s.TurnTCP} {
			if err := turn(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, tcp := s.Answers(); s.counts()[malformed] == 0 || tcp.Count() == 0 {
		t.Error("there was no flood")
	}
}

// A server that is closed does not turn.
func TestNoTurnAfterClose(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	s.stop()
	for network, turn := range map[string]func(context.Context) error{"udp": s.TurnUDP, "tcp": s.TurnTCP} {
		if err := turn(t.Context()); err == nil {
			t.Errorf("%s: got no error", network)
		}
	}
}
