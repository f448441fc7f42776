package agents

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// testTimeout is how long a test waits for an event.
const testTimeout = 10 * time.Second

// longAgo is the age of a main loop's last answer that makes a check send a
// get-state command, in microseconds.
const longAgo = 10_000_000

// sidecar is a server on a real socket, with the registry that it reports to.
type sidecar struct {
	t        *testing.T
	registry *registry.Registry
	server   *Server
	path     string
	stop     func() // stops the server, and checks that Run returns nil
}

// newSidecar starts a sidecar that does not log.
func newSidecar(t *testing.T) *sidecar {
	t.Helper()
	return newLoggingSidecar(t, io.Discard)
}

// newLoggingSidecar starts a sidecar that logs to the writer.
func newLoggingSidecar(t *testing.T, log io.Writer) *sidecar {
	t.Helper()
	return newSidecarOver(t, log, func(l net.Listener) net.Listener { return l })
}

// newSidecarOver starts a sidecar whose listener is what wrap returns.
func newSidecarOver(t *testing.T, log io.Writer, wrap func(net.Listener) net.Listener) *sidecar {
	t.Helper()
	// The path of t.TempDir may be too long for a socket, and other users cannot enter it.
	dir, err := os.MkdirTemp("", "landmark")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	clock := clock.New()
	go clock.Run(t.Context(), readAll)
	services := registry.New(clock, 0)
	s := &sidecar{
		t: t, registry: services, server: New(services, slog.New(slog.NewTextHandler(log, nil))),
		path: filepath.Join(dir, "agent.sock"),
	}
	l, err := socket.Listen(s.path)
	if err != nil {
		t.Fatal(err)
	}
	s.stop = run(t, s.server, wrap(l))
	return s
}

// run runs the server until stop is called, or the test ends.
func run(t *testing.T, s *Server, l net.Listener) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run returned %v", err)
			}
		case <-time.After(testTimeout):
			t.Error("Run has not returned")
		}
	}
	t.Cleanup(stop)
	return stop
}

// look returns the answer about the service from memory.
func (s *sidecar) look(service string) registry.Answer {
	a, _ := s.registry.Lookup([]byte(service), 0)
	return a
}

// await waits until the service has the status and the cause.
func (s *sidecar) await(service string, status judge.Status, cause judge.Cause) registry.Answer {
	s.t.Helper()
	sub := s.registry.Subscribe([]byte(service))
	defer sub.Close()
	over := time.After(testTimeout)
	for {
		a := s.look(service)
		if a.Status == status && a.Cause == cause {
			return a
		}
		select {
		case <-sub.Changed():
		case <-over:
			s.t.Fatalf("%s is %v, %v; want %v, %v", service, a.Status, a.Cause, status, cause)
		}
	}
}

// ask checks the service with a max age of a second, and sends the answer to the
// channel. If the loop last answered long ago, that sends it a get-state command.
func (s *sidecar) ask(service string) <-chan registry.Answer {
	answers := make(chan registry.Answer, 1)
	go func() {
		a, err := s.registry.Await(context.Background(), []byte(service), time.Second)
		if err != nil {
			s.t.Error(err)
		}
		answers <- a
	}()
	return answers
}

// agent is one stream of a program.
type agent struct {
	t *testing.T
	grpc.BidiStreamingClient[reportv1.StreamRequest, reportv1.StreamResponse]
	conn *grpc.ClientConn
}

// dial connects an agent to the sidecar and sends the messages.
func (s *sidecar) dial(messages ...*reportv1.StreamRequest) *agent {
	s.t.Helper()
	return dial(s.t, "unix:"+s.path, messages...)
}

func dial(t *testing.T, target string, messages ...*reportv1.StreamRequest) *agent {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	a := &agent{t: t, conn: conn, BidiStreamingClient: open(t, conn)}
	a.send(messages...)
	return a
}

// open opens a stream over the connection.
func open(t *testing.T, conn *grpc.ClientConn, options ...grpc.CallOption) grpc.BidiStreamingClient[reportv1.StreamRequest, reportv1.StreamResponse] {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	stream, err := intakev1.NewIntakeServiceClient(conn).Stream(ctx, options...)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// send sends the messages. It ignores the end of the stream, which Recv reports.
func (a *agent) send(messages ...*reportv1.StreamRequest) {
	a.t.Helper()
	for _, m := range messages {
		if a.Send(m) != nil {
			return
		}
	}
}

// welcomed waits for the Welcome.
func (a *agent) welcomed() {
	a.t.Helper()
	m, err := a.Recv()
	if err != nil {
		a.t.Fatal(err)
	}
	if m.GetWelcome() == nil {
		a.t.Fatalf("received %v, want the Welcome", m)
	}
}

// commanded waits for a get-state command and returns its number.
func (a *agent) commanded() uint64 {
	a.t.Helper()
	m, err := a.Recv()
	if err != nil {
		a.t.Fatal(err)
	}
	if m.GetGetState() == nil {
		a.t.Fatalf("received %v, want the get-state command", m)
	}
	return m.GetGetState().Number
}

// ended waits for the end of the stream and returns its error, nil for OK.
func (a *agent) ended() error {
	for {
		switch _, err := a.Recv(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// reporting connects a program with one Loop that answered age microseconds ago, and
// waits until it is serving.
func (s *sidecar) reporting(service, instance string, age uint64) *agent {
	s.t.Helper()
	a := s.dial(hello(service, instance), declaration(loop("main")), report(0, fact(age)))
	a.welcomed()
	s.await(service, judge.Serving, judge.None)
	return a
}

// age sets the age of the program's last answer to longAgo, and waits for
// the registry.
func (s *sidecar) age(a *agent, service string) {
	s.t.Helper()
	a.send(report(0, &reportv1.Fact{Reached: true, AgeUs: longAgo, Open: true}))
	s.await(service, judge.NotServing, judge.Stalled)
	a.send(report(0, fact(longAgo)))
	s.await(service, judge.Serving, judge.None)
}

func hello(service, instance string) *reportv1.StreamRequest {
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Hello{
		Hello: &reportv1.Hello{Service: service, Instance: instance},
	}}
}

func declaration(landmarks ...*reportv1.Landmark) *reportv1.StreamRequest {
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Declaration{
		Declaration: &reportv1.Declaration{Landmarks: landmarks},
	}}
}

func report(answered uint64, facts ...*reportv1.Fact) *reportv1.StreamRequest {
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Report{
		Report: &reportv1.Report{Facts: facts, Answered: answered},
	}}
}

func goodbye() *reportv1.StreamRequest {
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Goodbye{Goodbye: &reportv1.Goodbye{}}}
}

func loop(name string) *reportv1.Landmark {
	return &reportv1.Landmark{Name: name, Kind: reportv1.Kind_KIND_LOOP, WithinUs: 1_000_000}
}

// fact returns the fact of a landmark that was reached age microseconds ago.
func fact(age uint64) *reportv1.Fact { return &reportv1.Fact{Reached: true, AgeUs: age, Count: 1} }

// readAll is the CaughtUp of an intake that is never behind.
func readAll() bool { return true }
