package lmp

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

func TestAnswersAreCounted(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	for network, n := range map[string]int{"udp": 3, "tcp": 5} {
		conn := s.dial(t, network)
		for range n {
			q := check(t, "epg")
			write(t, conn, q)
			wantAnswer(t, readAnswer(t, conn, q), lmp.StatusServing, lmp.CauseNone)
		}
	}
	s.stop() // after which all are counted
	udp, tcp := s.Answers()
	if udp.Count() != 3 || tcp.Count() != 5 || udp.Memory().Count != 1 || tcp.Memory().Count != 1 {
		t.Errorf("got %d answers over UDP and %d over TCP, want 3 and 5, and one of each timed", udp.Count(), tcp.Count())
	}
}

// overloadedSource is a source on which too many wait already. It signals each Await.
type overloadedSource struct {
	frontend.Source
	awaits chan struct{}
}

func (overloadedSource) Lookup([]byte, time.Duration) (a registry.Answer, final bool) {
	return a, false
}

func (s overloadedSource) Await(context.Context, []byte, time.Duration) (registry.Answer, error) {
	s.awaits <- struct{}{}
	return registry.Answer{}, registry.ErrOverloaded
}

// Requests that get no answer because too many wait are counted as refused.
func TestOverloadIsCounted(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		source := overloadedSource{awaits: make(chan struct{}, 1)}
		s := serve(t, Config{Address: "127.0.0.1:0", Source: source})
		write(t, s.dial(t, network), check(t, "epg"))
		receive(t, source.awaits)
		s.stop() // after which it is counted
		if refused := maps.Collect(s.Refused); refused["overloaded"] != 1 {
			t.Errorf("%s: got %v refused, want one by overload", network, refused)
		}
		if udp, tcp := s.Answers(); udp.Count()+tcp.Count() != 0 {
			t.Errorf("%s: an answer was counted", network)
		}
	}
}
