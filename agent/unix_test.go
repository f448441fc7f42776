package agent

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/landmark-health/landmark/agent/landmark"
	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
)

// The agent finds a real socket by the environment, speaks over it, and says
// goodbye.
func TestAgentOverUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	t.Setenv("LANDMARK_SOCKET", path)
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var j journal
	ended := make(chan error, 1)
	server := grpc.NewServer()
	intakev1.RegisterIntakeServiceServer(server, &sidecar{handle: func(stream agentStream) error {
		err := j.take(stream)
		ended <- err
		return err
	}})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() { server.Stop(); <-served }()

	var marks landmark.Set
	loop := marks.Loop("main loop", 100*time.Millisecond)
	agent, err := Start(Config{Service: "epg", Landmarks: &marks})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		select {
		case answer := <-loop.C():
			answer()
		case <-time.After(10 * time.Second):
			t.Fatal("no command came to the main loop")
		}
	}
	for deadline := time.After(10 * time.Second); !strings.HasPrefix(j.kinds(), "HDR"); {
		select {
		case <-deadline:
			t.Fatalf("the agent said %q, want HDR…", j.kinds())
		case answer := <-loop.C():
			answer()
		}
	}
	closeAgent(t, agent)
	if err := <-ended; err != nil || !strings.HasSuffix(j.kinds(), "G") {
		t.Errorf("the agent said %q and the stream ended with %v, want a goodbye", j.kinds(), err)
	}
}
