package agent

import (
	"io"
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

// While the sidecar is stopped, and reads nothing from its socket, the agent
// makes only a few reports, and when the sidecar goes on it soon makes one of
// the present.
func TestAgentQueuesNothingForStoppedSidecar(t *testing.T) {
	dir := t.TempDir()
	behind, err := net.Listen("unix", filepath.Join(dir, "sidecar.sock"))
	if err != nil {
		t.Fatal(err)
	}
	var j journal
	server := grpc.NewServer()
	intakev1.RegisterIntakeServiceServer(server, &sidecar{handle: j.take})
	served := make(chan error, 1)
	go func() { served <- server.Serve(behind) }()
	defer func() { server.Stop(); <-served }()

	front, err := net.Listen("unix", filepath.Join(dir, "agent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	running := make(chan struct{}, 1) // holds a token while the agent is read
	running <- struct{}{}
	relayed := make(chan struct{})
	go func() {
		defer close(relayed)
		relay(front, behind.Addr().String(), running)
	}()

	var marks landmark.Set
	alive := marks.Alive("turning", 100*time.Millisecond)
	alive.Reach()
	agent, err := Start(Config{Service: "epg", Landmarks: &marks, Socket: front.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	await := func(what string, found func() bool) {
		t.Helper()
		deadline := time.After(20 * time.Second)
		for !found() {
			select {
			case <-deadline:
				t.Fatal(what, " did not come")
			case <-time.After(time.Millisecond):
			}
		}
	}
	await("a report", func() bool { return strings.HasPrefix(j.kinds(), "HDR") })
	<-running
	<-time.After(3 * maxUnread * minReportInterval)
	j.clear()
	alive.Reach()
	running <- struct{}{}
	waited := func() (n int, over bool) {
		j.mu.Lock()
		defer j.mu.Unlock()
		for _, m := range j.messages {
			if m.GetReport().GetFacts()[0].Count > 1 {
				return n, true
			}
			n++
		}
		return n, false
	}
	await("a report of the present", func() bool { _, over := waited(); return over })
	if n, _ := waited(); n > maxUnread+1 {
		t.Errorf("%d reports waited, for a pause of as long as it takes to make %d", n, 3*maxUnread)
	}
	closeAgent(t, agent)
	<-relayed
}

// relay takes one connection and carries it to the socket at path, but reads
// nothing while running holds no token.
func relay(l net.Listener, path string, running chan struct{}) {
	client, err := l.Accept()
	if err != nil {
		return
	}
	defer client.Close()
	server, err := net.Dial("unix", path)
	if err != nil {
		return
	}
	answered := make(chan struct{})
	go func() { defer close(answered); io.Copy(client, server) }()
	defer func() { server.Close(); <-answered }()
	for b := make([]byte, 1024); ; {
		n, err := client.Read(b)
		running <- <-running
		if err != nil {
			return
		}
		if _, err := server.Write(b[:n]); err != nil {
			return
		}
	}
}
