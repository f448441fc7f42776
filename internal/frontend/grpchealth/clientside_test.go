package grpchealth

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/health" // the client's side of health checking
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
)

// backend is a server on loopback, and the process beside it.
type backend struct {
	address string
	process *frontendtest.Process
}

func newBackend(t *testing.T) backend {
	r := frontendtest.NewRegistry(t, 0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error)
	server := grpcserver.New(grpcserver.Config{Listeners: []net.Listener{l}})
	Register(server, Config{Source: r, Checkers: frontendtest.NewTracker()})
	go func() { stopped <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return backend{l.Addr().String(), frontendtest.NewProcess(t, r, "epg")}
}

// grpc-go's own client balances Check calls between two servers, by the statuses
// that their Watches send.
func TestClientSideHealthChecking(t *testing.T) {
	a, b := newBackend(t), newBackend(t)
	a.process.Work()
	b.process.Stall()

	servers := manual.NewBuilderWithScheme("backends")
	servers.InitialState(resolver.State{Endpoints: []resolver.Endpoint{
		{Addresses: []resolver.Address{{Addr: a.address}}},
		{Addresses: []resolver.Address{{Addr: b.address}}},
	}})
	conn := frontendtest.Dial(t, "backends:///", grpc.WithResolvers(servers), grpc.WithDefaultServiceConfig(
		`{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": "epg"}}`))
	defer conn.Close()
	client := healthpb.NewHealthClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	answeredBy := func() string {
		var p peer.Peer
		// The call waits while no server is healthy.
		_, err := client.Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true), grpc.Peer(&p))
		if err != nil {
			t.Fatal(err)
		}
		return p.Addr.String()
	}
	onlyBy := func(when, address string) {
		t.Helper()
		for range 50 {
			if got := answeredBy(); got != address {
				t.Fatalf("%s: a call went to %s, want all at %s", when, got, address)
			}
		}
	}

	onlyBy("a serving", a.address)
	// Each change shows in which server answers: first b joins, then a leaves.
	b.process.Work()
	for answeredBy() != b.address {
	}
	a.process.Stall()
	for inARow := 0; inARow < 10; inARow++ {
		if answeredBy() != b.address {
			inARow = 0
		}
	}
	onlyBy("b serving", b.address)
}
