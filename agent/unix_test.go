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
	"github.com/landmark-health/landmark/internal/contract"
	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
)

// The agent uses a real socket, whose path is in the environment.
func TestAgentOverUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	t.Setenv("LANDMARK_SOCKET", path)
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var r recorder
	ended := make(chan error, 1)
	server := grpc.NewServer()
	intakev1.RegisterIntakeServiceServer(server, &sidecar{handle: func(stream agentStream) error {
		err := r.handle(stream)
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
		case <-time.After(30 * time.Second):
			t.Fatal("the main loop received no command")
		}
	}
	for deadline := time.After(30 * time.Second); !strings.HasPrefix(r.kinds(), "HDR"); {
		select {
		case <-deadline:
			t.Fatalf("messages %q, want HDR…", r.kinds())
		case answer := <-loop.C():
			answer()
		}
	}
	closeAgent(t, agent)
	if err := <-ended; err != nil || !strings.HasSuffix(r.kinds(), "G") {
		t.Errorf("messages %q, stream error %v, want a goodbye and no error", r.kinds(), err)
	}
}

// While the sidecar is stopped and reads nothing from its socket, the agent makes at
// most maxUnread reports. When the sidecar continues, it soon gets the current state.
func TestAgentLimitsUnreadReports(t *testing.T) {
	dir := t.TempDir()
	behind, err := net.Listen("unix", filepath.Join(dir, "sidecar.sock"))
	if err != nil {
		t.Fatal(err)
	}
	var r recorder
	server := grpc.NewServer()
	intakev1.RegisterIntakeServiceServer(server, &sidecar{handle: r.handle})
	served := make(chan error, 1)
	go func() { served <- server.Serve(behind) }()
	defer func() { server.Stop(); <-served }()

	front, err := net.Listen("unix", filepath.Join(dir, "agent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	running := make(chan struct{}, 1) // holds a token while the relay reads
	running <- struct{}{}
	relayed := make(chan struct{})
	go func() {
		defer close(relayed)
		relay(front, behind.Addr().String(), running)
	}()

	var marks landmark.Set
	alive := marks.Alive("working", 100*time.Millisecond)
	alive.Reach()
	agent, err := Start(Config{Service: "epg", Landmarks: &marks, Socket: front.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	await := func(event string, found func() bool) {
		t.Helper()
		deadline := time.After(30 * time.Second)
		for !found() {
			select {
			case <-deadline:
				t.Fatal(event, " did not arrive")
			case <-time.After(time.Millisecond):
			}
		}
	}
	await("a report", func() bool { return strings.HasPrefix(r.kinds(), "HDR") })
	<-running
	<-time.After(3 * maxUnread * contract.MinReportInterval)
	r.clear()
	alive.Reach()
	running <- struct{}{}
	waiting := func() (n int, current bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, m := range r.messages {
			if m.GetReport().GetFacts()[0].Count > 1 {
				return n, true
			}
			n++
		}
		return n, false
	}
	await("a current report", func() bool { _, current := waiting(); return current })
	if n, _ := waiting(); n > maxUnread+1 {
		t.Errorf("%d reports waited after a pause of %d intervals, want at most %d", n, 3*maxUnread, maxUnread+1)
	}
	closeAgent(t, agent)
	<-relayed
}

// relay accepts one connection and copies it to the socket at path. It reads nothing
// while running holds no token.
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
