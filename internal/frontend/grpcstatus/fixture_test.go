package grpcstatus

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a server over a registry, and a client of it.
type fixture struct {
	t        *testing.T
	registry *registry.Registry
	checkers *checkers.Tracker
	client   statusv1.StatusServiceClient
	stop     context.CancelFunc // as SIGTERM does
}

// inBubble runs a test of a fixture in fake time, from the instant at which
// the registry was made.
func inBubble(t *testing.T, startGrace time.Duration, test func(*testing.T, *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{t: t, registry: newRegistry(t, startGrace), checkers: newMemory()}
		var ctx context.Context
		ctx, f.stop = context.WithCancel(t.Context())
		server, listener, stopped := grpcserver.New(), bufconn.Listen(64<<10), make(chan error)
		Register(server, f.registry, f.checkers)
		go func() { stopped <- server.Run(ctx, listener) }()
		conn, err := grpc.NewClient("passthrough:///",
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		f.client = statusv1.NewStatusServiceClient(conn)
		t.Cleanup(func() {
			conn.Close()
			f.stop()
			if err := <-stopped; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		test(t, f)
	})
}

// newRegistry returns a registry whose clock goes on until the test ends.
func newRegistry(t *testing.T, startGrace time.Duration) *registry.Registry {
	clock := clock.New()
	go clock.Run(t.Context(), func() bool { return true })
	return registry.New(clock, startGrace)
}

// newMemory returns a memory of checkers.
func newMemory() *checkers.Tracker {
	begun := time.Now()
	return checkers.New(slog.New(slog.DiscardHandler), func() time.Duration { return time.Since(begun) })
}

// list lists the services of that name, all if it is empty.
func (f *fixture) list(name string) ([]*statusv1.Service, error) {
	stream, err := f.client.List(f.t.Context(), &statusv1.ListRequest{Service: name})
	if err != nil {
		return nil, err
	}
	var services []*statusv1.Service
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return services, nil
		}
		if err != nil {
			return services, err
		}
		services = append(services, r.GetService())
	}
}

// program is one process of a service, as far as its sidecar knows of it.
type program struct {
	t       *testing.T
	session *registry.Session
}

// newProgram returns a program that has not reported yet. Without landmarks it
// has a main loop.
func newProgram(t *testing.T, r *registry.Registry, service string, landmarks ...judge.Declared) *program {
	t.Helper()
	if len(landmarks) == 0 {
		landmarks = []judge.Declared{{Name: "main loop", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: 2 * time.Second}}
	}
	p := &program{t: t}
	var err error
	if p.session, err = r.Open(registry.AgentID{Service: service, Instance: "a", UID: 1}, p); err != nil {
		t.Fatal(err)
	}
	if err := p.session.Declare(landmarks); err != nil {
		t.Fatal(err)
	}
	return p
}

// GetState implements registry.Link. Nobody here may have it put.
func (p *program) GetState(uint64) { p.t.Error("a get-state command was put") }

// End implements registry.Link.
func (p *program) End(err error) { p.t.Errorf("session ended: %v", err) }

func (p *program) CaughtUp() bool { return true }

// report reports the program's landmarks.
func (p *program) report(facts ...registry.Fact) {
	p.t.Helper()
	if err := p.session.Report(facts, 0); err != nil {
		p.t.Error(err)
	}
}

// work reports a main loop that has just answered everything.
func (p *program) work() { p.report(registry.Fact{Reached: true}) }

// lag reports one that answers, but later and later.
func (p *program) lag(lag time.Duration) { p.report(registry.Fact{Reached: true, Lag: lag}) }

// stall reports a main loop that answers no more.
func (p *program) stall() {
	p.report(registry.Fact{Reached: true, Open: true, Age: 2*time.Second + 1})
}
