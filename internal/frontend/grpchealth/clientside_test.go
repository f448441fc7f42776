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

	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/registry"
)

// backend is a server on loopback and the program beside it.
type backend struct {
	address string
	program *program
}

// newBackend returns a backend whose clock nobody runs: nothing goes stale in
// it, however slow the machine.
func newBackend(t *testing.T) backend {
	r := registry.New(runningClock(t), 0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error)
	server := grpcserver.New()
	Register(server, r, newMemory())
	go func() { stopped <- server.Run(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return backend{l.Addr().String(), newProgram(t, r, "epg")}
}

// TestClientSideHealthChecking has grpc-go's own client balance between two
// servers by what their Watches tell. The calls that it balances are Checks.
func TestClientSideHealthChecking(t *testing.T) {
	a, b := newBackend(t), newBackend(t)
	a.program.work()
	b.program.stall()

	servers := manual.NewBuilderWithScheme("backends")
	servers.InitialState(resolver.State{Endpoints: []resolver.Endpoint{
		{Addresses: []resolver.Address{{Addr: a.address}}},
		{Addresses: []resolver.Address{{Addr: b.address}}},
	}})
	conn := dial(t, "backends:///", grpc.WithResolvers(servers), grpc.WithDefaultServiceConfig(
		`{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": "epg"}}`))
	defer conn.Close()
	client := healthpb.NewHealthClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	answeredBy := func() string {
		var p peer.Peer
		// A call waits while no server is healthy.
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
	// First b comes in, then a goes out: each shows in who answers.
	b.program.work()
	for answeredBy() != b.address {
	}
	a.program.stall()
	for inARow := 0; inARow < 10; inARow++ {
		if answeredBy() != b.address {
			inARow = 0
		}
	}
	onlyBy("b serving", b.address)
}
