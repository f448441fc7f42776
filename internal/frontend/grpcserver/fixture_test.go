package grpcserver

import (
	"context"
	"net"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is one whose calls end when the test or their contexts have them.
type service struct {
	healthpb.UnimplementedHealthServer
	answer chan struct{} // Check waits for it
	end    chan error    // Watch's, where the server does not stop before
	deaf   bool          // Watch does not hear of that
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
	if s.deaf {
		stopping = nil
	}
	select {
	case err := <-s.end:
		return err
	case <-stopping:
		return stream.Context().Err()
	}
}

// fixture is a server of a service, and a client of it.
type fixture struct {
	service
	t        *testing.T
	server   *Server
	listener *bufconn.Listener
	conn     *grpc.ClientConn
	client   healthpb.HealthClient
	stop     context.CancelFunc // as SIGTERM does
	stopped  chan error         // receives what Run returned
}

// inBubble runs a test of a fixture in fake time.
func inBubble(t *testing.T, test func(*testing.T, *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newFixture(t)) })
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{
		service:  service{answer: make(chan struct{}), end: make(chan error)},
		t:        t,
		server:   New(),
		listener: bufconn.Listen(64 << 10),
		stopped:  make(chan error, 1),
	}
	healthpb.RegisterHealthServer(f.server, &f.service)
	var ctx context.Context
	ctx, f.stop = context.WithCancel(t.Context())
	go func() { f.stopped <- f.server.Run(ctx, f.listener) }()
	f.conn = dial(t, "passthrough:///", grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return f.listener.DialContext(ctx)
	}))
	f.client = healthpb.NewHealthClient(f.conn)
	t.Cleanup(f.close)
	return f
}

// close stops the server, unless the test did.
func (f *fixture) close() {
	f.conn.Close()
	f.stop()
	if err, open := <-f.stopped; open && err != nil {
		f.t.Errorf("Run: %v", err)
	}
}

func dial(t *testing.T, target string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// check makes a call, whose error arrives.
func (f *fixture) check() <-chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := f.client.Check(f.t.Context(), &healthpb.HealthCheckRequest{})
		ended <- err
	}()
	return ended
}

// watch begins a stream. The error with which it ends arrives.
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
