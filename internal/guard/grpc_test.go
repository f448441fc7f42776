package guard

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

func TestIdleClientsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := newLimits()
		for client := range 1000 {
			newGuarded(t, limits, client).Close()
		}
		time.Sleep(forgetAfter)
		newGuarded(t, limits, "last")
		if n := len(limits.Budget.clients); n != 1 {
			t.Errorf("%d clients are kept, want the last only", n)
		}
	})
}

// health answers Check.
type health struct {
	healthpb.UnimplementedHealthServer
}

func (health) Check(context.Context, *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return &healthpb.HealthCheckResponse{}, nil
}

// inBubble runs a guarded gRPC server in a synctest bubble.
func inBubble(t *testing.T, test func(t *testing.T, s *grpc.Server, l *bufconn.Listener)) {
	synctest.Test(t, func(t *testing.T) {
		limits := newLimits()
		server, l := grpc.NewServer(Options(limits)...), bufconn.Listen(1<<20)
		healthpb.RegisterHealthServer(server, health{})
		served := make(chan error)
		go func() { served <- server.Serve(Listen(l, limits)) }()
		test(t, server, l)
		server.Stop()
		<-served
		if limits.Budget.left() != 1<<20 || limits.Budget.streams != 20 {
			t.Errorf("%d bytes and %d streams of the budget are left", limits.Budget.left(), limits.Budget.streams)
		}
	})
}

func dial(t *testing.T, l *bufconn.Listener) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestCallsAreAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *grpc.Server, l *bufconn.Listener) {
		conn := dial(t, l)
		defer conn.Close()
		client := healthpb.NewHealthClient(conn)
		for range 3000 {
			if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "epg"}); err != nil {
				t.Fatal(err)
			}
		}
		long := &healthpb.HealthCheckRequest{Service: string(make([]byte, 5000))}
		if _, err := client.Check(t.Context(), long); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("a message that is too long: %v", err)
		}
		// The data of a failed request is not counted forever.
		if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
			t.Error(err)
		}
	})
}

func TestStreamWithoutARequestEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *grpc.Server, l *bufconn.Listener) {
		conn := dial(t, l)
		defer conn.Close()
		began := time.Now()
		stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, "/grpc.health.v1.Health/Check")
		if err != nil {
			t.Fatal(err)
		}
		err = stream.RecvMsg(&healthpb.HealthCheckResponse{})
		if took := time.Since(began); err == nil || took < requestTimeout || took > requestTimeout+time.Second {
			t.Errorf("it ended after %v with %v, want %v", took, err, requestTimeout)
		}
	})
}
