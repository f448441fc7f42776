// Package gate is the front end for checkers that can only open a connection, such
// as keepalived's TCP_CHECK, DPVS and gorb: a TCP port that is open exactly while an
// aspect of a service is SERVING.
//
// While the gate is open, each connection is accepted and closed at once. While it is
// closed, a connection is refused at once. The port stays reserved for landmarkd all
// the time, so that no other program can take it and seem to be the open gate of a
// service that does not serve.
//
// The connection is closed in the ordinary way, by FIN. A reset (SO_LINGER 0) would
// leave no TIME_WAIT in the kernel, but a checker that is late to read the result of
// its connect, as keepalived on a busy director, would read ECONNRESET, and take a
// server out that serves.
package gate

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/judge"
)

// Gate is a port of a service.
type Gate struct {
	Service string
	Aspect  judge.Aspect
	// Address is where the port is. The unspecified address means all addresses of
	// the host, IPv4 and IPv6.
	Address netip.AddrPort
}

// name returns the name that the source knows the aspect by.
func (g Gate) name() []byte {
	if g.Aspect == judge.Readiness {
		return []byte(g.Service)
	}
	return []byte(g.Service + "-" + g.Aspect.String())
}

// Checkers records the checkers that connected. Its methods are safe for concurrent
// use.
type Checkers interface {
	Record(q checkers.Check, c checkers.Checker, at time.Duration)
	// SetGate says whether the service's gate is open: while it is closed, the
	// kernel refuses connections, and no checker is seen.
	SetGate(service string, g checkers.GateState)
}

// Config configures a Server.
type Config struct {
	Source   frontend.Source // gives the answers
	Checkers Checkers        // records who connected
	Logger   *slog.Logger
}

// Server opens and closes gates.
type Server struct {
	config    Config
	wake      chan struct{} // holds a token if gates has changed
	wildcards wildcards     // at the ports of the gates with one address

	mu    sync.Mutex
	gates []Gate // that there must be; guarded by mu
}

// New returns a server without gates.
func New(c Config) *Server { return &Server{config: c, wake: make(chan struct{}, 1)} }

// Configure sets the gates. Only gates with one address each, of one family, may have the
// same port. Gates that are there already stay as they are. It may be called at any time.
func (s *Server) Configure(gates []Gate) {
	s.mu.Lock()
	s.gates = slices.Clone(gates)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run opens and closes the gates until ctx is done. Then it closes them and returns nil.
func (s *Server) Run(ctx context.Context) error {
	running := make(map[Gate]*controller)
	for ctx.Err() == nil {
		s.mu.Lock()
		gates := s.gates
		s.mu.Unlock()
		for g, k := range running {
			if !slices.Contains(gates, g) {
				k.stop() // first, because another gate may have its port now
				delete(running, g)
			}
		}
		for _, g := range gates {
			if running[g] == nil {
				running[g] = s.control(ctx, g)
			}
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
		}
	}
	for _, k := range running {
		k.stop()
	}
	return nil
}
