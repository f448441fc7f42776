package agent

import (
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/hostclock"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// A recorder is the stream handler of a sidecar. It keeps the messages of the agent.
type recorder struct {
	mu       sync.Mutex // guards messages
	messages []*reportv1.StreamRequest
}

// handle welcomes the agent and records its messages.
func (r *recorder) handle(stream agentStream) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.messages = append(r.messages, m)
		r.mu.Unlock()
		switch m.Message.(type) {
		case *reportv1.StreamRequest_Declaration:
			if err := stream.Send(welcome()); err != nil {
				return err
			}
		case *reportv1.StreamRequest_Goodbye:
			return nil
		}
	}
}

// kinds returns the first letters of the messages so far: H, D, R, G.
func (r *recorder) kinds() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var kinds strings.Builder
	for _, m := range r.messages {
		switch m.Message.(type) {
		case *reportv1.StreamRequest_Hello:
			kinds.WriteByte('H')
		case *reportv1.StreamRequest_Declaration:
			kinds.WriteByte('D')
		case *reportv1.StreamRequest_Report:
			kinds.WriteByte('R')
		case *reportv1.StreamRequest_Goodbye:
			kinds.WriteByte('G')
		}
	}
	return kinds.String()
}

func (r *recorder) first() *reportv1.StreamRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.messages[0]
}

func (r *recorder) last() *reportv1.StreamRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.messages[len(r.messages)-1]
}

func (r *recorder) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = nil
}

// startAgent starts an agent that reports to the sidecar s and logs to log.
func startAgent(t *testing.T, marks *landmark.Set, s *sidecar, log io.Writer) *Agent {
	t.Helper()
	cfg, err := Config{
		Service: "epg", Instance: "a", Landmarks: marks, Socket: "/nowhere",
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}.complete()
	if err != nil {
		t.Fatal(err)
	}
	return start(cfg, s.dial, hostclock.Clock{})
}

func closeAgent(t *testing.T, a *Agent) {
	t.Helper()
	if err := a.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
}
