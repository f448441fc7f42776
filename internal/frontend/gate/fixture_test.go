package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/logtest"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/test/freeport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline is how long a test waits for what must happen.
const deadline = 30 * time.Second

// fixture is a server over a registry.
type fixture struct {
	*Server
	t        *testing.T
	registry *registry.Registry
	checkers *checkers.Tracker
	log      *logtest.Buffer
	stop     func() // ends Run, and waits until it has returned
}

// newRegistry returns a registry in which no process of "epg" and "guide" gets stale,
// however slow the test is.
func newRegistry(t *testing.T, startGrace time.Duration) *registry.Registry {
	t.Helper()
	policy := registry.DefaultPolicy
	policy.StaleAfter = time.Hour
	r := frontendtest.NewRegistry(t, startGrace)
	r.Configure(map[string]registry.Policy{"epg": policy, "guide": policy}, nil)
	return r
}

// start runs a server with the gates until the test ends.
func start(t *testing.T, r *registry.Registry, gates ...Gate) *fixture {
	t.Helper()
	f := &fixture{t: t, registry: r, checkers: frontendtest.NewTracker(), log: new(logtest.Buffer)}
	f.Server = New(Config{Source: r, Checkers: f.checkers, Logger: slog.New(slog.NewTextHandler(f.log, nil))})
	f.Configure(gates)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	f.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	t.Cleanup(f.stop)
	return f
}

// freePort returns an address of 127.0.0.1 at which no program listens.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return netip.MustParseAddrPort(address)
}

// connect connects to the address, and waits until the other side closes the
// connection.
func connect(address netip.AddrPort) error {
	conn, err := net.DialTimeout("tcp", address.String(), deadline)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(deadline))
	if _, err = conn.Read(make([]byte, 1)); err == io.EOF {
		return nil
	}
	return fmt.Errorf("not closed in the ordinary way: %w", err)
}

// isOpen reports whether a connection to the address is accepted. One that waits to be
// accepted while the port closes is reset.
func isOpen(t *testing.T, address netip.AddrPort) bool {
	t.Helper()
	err := connect(address)
	if err != nil && !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.ECONNRESET) {
		t.Fatalf("a connection to %v was neither accepted nor refused: %v", address, err)
	}
	return err == nil
}

// await waits until the condition is true.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	late, tick := time.After(deadline), time.Tick(time.Millisecond)
	for !condition() {
		select {
		case <-tick:
		case <-late:
			t.Fatalf("it did not happen within %v that %s", deadline, what)
		}
	}
}

// awaitOpen waits until the port is open or closed.
func awaitOpen(t *testing.T, address netip.AddrPort, open bool) {
	t.Helper()
	what := "the port is closed"
	if open {
		what = "the port is open"
	}
	await(t, what, func() bool { return isOpen(t, address) == open })
}

// canListen reports whether another program could listen at the address.
func canListen(address netip.AddrPort) bool {
	l, err := net.Listen("tcp", address.String())
	if err == nil {
		l.Close()
	}
	return err == nil
}
