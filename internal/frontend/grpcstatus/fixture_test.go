package grpcstatus

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/test/bufconn"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a server over a registry, and a client of it.
type fixture struct {
	*frontendtest.Server
	t        *testing.T
	registry *registry.Registry
	checkers *checkers.Tracker
	client   statusv1.StatusServiceClient
	earlier  map[string][]registry.Change
}

// inBubble runs a test with a fixture in fake time, which starts when the
// registry is made.
func inBubble(t *testing.T, startGrace time.Duration, test func(*testing.T, *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{t: t, registry: frontendtest.NewRegistry(t, startGrace), checkers: frontendtest.NewTracker()}
		l := bufconn.Listen(64 << 10)
		server := grpcserver.New(grpcserver.Config{Listeners: []net.Listener{l}})
		Register(server, Config{
			Source: f.registry, Checkers: f.checkers,
			Earlier: func(service string) []registry.Change { return f.earlier[service] },
		})
		f.Server = frontendtest.Serve(t, l, server.Run)
		f.client = statusv1.NewStatusServiceClient(f.Conn)
		test(t, f)
	})
}

// newProcess connects a process that has not reported yet. Without landmarks it
// has a main loop. The test fails if it is sent a get-state command.
func newProcess(t *testing.T, r *registry.Registry, service string, landmarks ...judge.Declared) *frontendtest.Process {
	t.Helper()
	p := frontendtest.NewProcess(t, r, service, landmarks...)
	t.Cleanup(func() {
		if n := len(p.Commands); n > 0 {
			t.Errorf("%d get-state commands were sent, want none", n)
		}
	})
	return p
}

func (f *fixture) newProcess(service string, landmarks ...judge.Declared) *frontendtest.Process {
	f.t.Helper()
	return newProcess(f.t, f.registry, service, landmarks...)
}

// list lists the service, or all services if the name is empty.
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
