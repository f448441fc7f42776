package grpcserver

import (
	"context"
	"net"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is a service whose calls end when the test or their context ends them.
type service struct {
	healthpb.UnimplementedHealthServer
	answer      chan struct{} // ends Check
	end         chan error    // ends Watch
	ignoresStop bool          // Watch ignores its context
}

func (s *service) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	select {
	case <-s.answer:
		return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *service) Watch(_ *healthpb.HealthCheckRequest, stream grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	stopping := stream.Context().Done()
	if s.ignoresStop {
		stopping = nil
	}
	select {
	case err := <-s.end:
		return err
	case <-stopping:
		return stream.Context().Err()
	}
}

// fixture is a server with a service, and a client of it.
type fixture struct {
	*frontendtest.Server
	service
	t        *testing.T
	listener *bufconn.Listener
	client   healthpb.HealthClient
}

// inBubble runs a test with a fixture in fake time.
func inBubble(t *testing.T, test func(*testing.T, *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{
			service:  service{answer: make(chan struct{}), end: make(chan error)},
			t:        t,
			listener: bufconn.Listen(64 << 10),
		}
		server := New(Config{Listeners: []net.Listener{f.listener}})
		healthpb.RegisterHealthServer(server, &f.service)
		f.Server = frontendtest.Serve(t, f.listener, server.Run)
		f.client = healthpb.NewHealthClient(f.Conn)
		test(t, f)
	})
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// check makes a call, and returns a channel that receives its error.
func (f *fixture) check() <-chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := f.client.Check(f.t.Context(), &healthpb.HealthCheckRequest{})
		ended <- err
	}()
	return ended
}

// watch opens a stream, and returns a channel that receives the error with which
// it ends.
func (f *fixture) watch() <-chan error {
	f.t.Helper()
	stream, err := f.client.Watch(f.t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		f.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := stream.Recv()
		ended <- err
	}()
	return ended
}
