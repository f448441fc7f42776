package grpchealth

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Short names of the statuses.
const (
	serving    = healthpb.HealthCheckResponse_SERVING
	notServing = healthpb.HealthCheckResponse_NOT_SERVING
	unknown    = healthpb.HealthCheckResponse_SERVICE_UNKNOWN
)

// fixture is a server over a registry, and a client of it.
type fixture struct {
	*frontendtest.Server
	t        *testing.T
	registry *registry.Registry
	checkers *checkers.Tracker
	client   healthpb.HealthClient
}

// inBubble runs a test with a fixture in fake time, which starts when the
// registry is made.
func inBubble(t *testing.T, startGrace time.Duration, test func(*testing.T, *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{t: t, registry: frontendtest.NewRegistry(t, startGrace), checkers: frontendtest.NewTracker()}
		l := bufconn.Listen(64 << 10)
		server := grpcserver.New(grpcserver.Config{Listeners: []net.Listener{l}})
		Register(server, Config{Source: f.registry, Checkers: f.checkers})
		f.Server = frontendtest.Serve(t, l, server.Run)
		f.client = healthpb.NewHealthClient(f.Conn)
		test(t, f)
	})
}

// newProcess connects a process that has a main loop and has not reported yet.
func (f *fixture) newProcess(service string) *frontendtest.Process {
	f.t.Helper()
	return frontendtest.NewProcess(f.t, f.registry, service)
}

// check checks a name.
func (f *fixture) check(name string) (healthpb.HealthCheckResponse_ServingStatus, error) {
	r, err := f.client.Check(f.t.Context(), &healthpb.HealthCheckRequest{Service: name})
	return r.GetStatus(), err
}

// watch watches a name. The statuses arrive on the first channel, the error with
// which the Watch ends on the second.
func (f *fixture) watch(name string) (<-chan healthpb.HealthCheckResponse_ServingStatus, <-chan error) {
	f.t.Helper()
	stream, err := f.client.Watch(f.t.Context(), &healthpb.HealthCheckRequest{Service: name})
	if err != nil {
		f.t.Fatal(err)
	}
	return frontendtest.Receive(stream, (*healthpb.HealthCheckResponse).GetStatus)
}
