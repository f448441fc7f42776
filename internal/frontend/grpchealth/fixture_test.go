package grpchealth

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The statuses, as the tests name them.
const (
	serving    = healthpb.HealthCheckResponse_SERVING
	notServing = healthpb.HealthCheckResponse_NOT_SERVING
	unknown    = healthpb.HealthCheckResponse_SERVICE_UNKNOWN
)

// within is what the programs' main loops are allowed.
const within = 2 * time.Second

// fixture is a server over a registry, and a client of it.
type fixture struct {
	t        *testing.T
	registry *registry.Registry
	checkers *checkers.Tracker
	listener *bufconn.Listener
	conn     *grpc.ClientConn
	client   healthpb.HealthClient
	stop     context.CancelFunc // as SIGTERM does
	stopped  chan error         // receives what Run returned
}

// inBubble runs a test of a fixture in fake time, from the instant at which
// the registry was made.
func inBubble(t *testing.T, startGrace time.Duration, test func(*testing.T, *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newFixture(t, startGrace)) })
}

func newFixture(t *testing.T, startGrace time.Duration) *fixture {
	clock := runningClock(t)
	f := &fixture{
		t:        t,
		registry: registry.New(clock, startGrace),
		checkers: newMemory(),
		listener: bufconn.Listen(64 << 10),
		stopped:  make(chan error, 1),
	}
	var ctx context.Context
	ctx, f.stop = context.WithCancel(t.Context())
	server := grpcserver.New()
	Register(server, f.registry, f.checkers)
	go func() { f.stopped <- server.Run(ctx, f.listener) }()
	f.conn = dial(t, "passthrough:///", grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return f.listener.DialContext(ctx)
	}))
	f.client = healthpb.NewHealthClient(f.conn)
	t.Cleanup(f.end)
	return f
}

// newMemory returns a memory of checkers.
func newMemory() *checkers.Tracker {
	begun := time.Now()
	return checkers.New(slog.New(slog.DiscardHandler), func() time.Duration { return time.Since(begun) })
}

// end stops the server, unless the test did.
func (f *fixture) end() {
	f.conn.Close()
	f.stop()
	if err, open := <-f.stopped; open && err != nil {
		f.t.Errorf("Run: %v", err)
	}
}

// awaitStop waits until Run has returned and returns how long that took.
func (f *fixture) awaitStop() time.Duration {
	f.t.Helper()
	begin := time.Now()
	if err := <-f.stopped; err != nil {
		f.t.Errorf("Run: %v", err)
	}
	close(f.stopped)
	return time.Since(begin)
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

// check asks for the status of a name.
func (f *fixture) check(name string) (healthpb.HealthCheckResponse_ServingStatus, error) {
	r, err := f.client.Check(f.t.Context(), &healthpb.HealthCheckRequest{Service: name})
	return r.GetStatus(), err
}

// program is a program with a main loop, as far as its sidecar knows of it.
type program struct {
	t        *testing.T
	session  *registry.Session
	commands chan uint64 // get-state commands put to the main loop
}

// newProgram returns a program that has not reported yet.
func newProgram(t *testing.T, r *registry.Registry, service string) *program {
	t.Helper()
	p := &program{t: t, commands: make(chan uint64, 100)}
	var err error
	p.session, err = r.Open(registry.AgentID{Service: service, Instance: "a", UID: 1}, p)
	if err != nil {
		t.Fatal(err)
	}
	p.session.Declare([]judge.Declared{{
		Name: "main loop", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: within,
	}})
	return p
}

// GetState implements registry.Link.
func (p *program) GetState(number uint64) { p.commands <- number }

// End implements registry.Link.
func (p *program) End(err error) { p.t.Errorf("session ended: %v", err) }

func (p *program) CaughtUp() bool { return true }

// report says how the main loop is, and which command it has answered.
func (p *program) report(f registry.Fact, answered uint64) {
	p.t.Helper()
	if err := p.session.Report([]registry.Fact{f}, answered); err != nil {
		p.t.Error(err)
	}
}

// start reports a main loop that has not answered for the first time.
func (p *program) start() { p.report(registry.Fact{}, 0) }

// work reports a main loop that has just answered everything.
func (p *program) work() { p.report(registry.Fact{Reached: true}, 0) }

// stall reports a main loop that answers no more.
func (p *program) stall() { p.report(registry.Fact{Reached: true, Open: true, Age: within + 1}, 0) }

// runningClock returns a clock that goes on until the test ends.
func runningClock(t testing.TB) *clock.Clock {
	clock := clock.New()
	go clock.Run(t.Context(), func() bool { return true })
	return clock
}
