package agents

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/landmark-health/landmark/internal/guard"
	"github.com/landmark-health/landmark/internal/hostclock"
	"github.com/landmark-health/landmark/internal/peercred"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
)

const (
	// maxMessage bounds what one message of an agent may hold, in bytes: a
	// report of as many landmarks as there may be, with reasons as long as they
	// may be, or a declaration of them, and room to grow.
	maxMessage = 384 << 10
	// maxStreams is how many services one process may report over one
	// connection.
	maxStreams = 1024
	// maxUnread is how many bytes that are part of no whole message all
	// connections may have sent together, and maxOpen how many streams may be
	// open on all together, beyond what each connection has of its own.
	maxUnread = 8 << 20
	maxOpen   = 1024
	// idleTimeout is how long a connection may have no stream.
	idleTimeout = 10 * time.Second
)

// Server takes agents' streams.
type Server struct {
	intakev1.UnimplementedIntakeServiceServer
	registry    *registry.Registry
	logger      *slog.Logger
	logLimit    *socket.LogLimit
	connections *connections
	limits      guard.Limits
	host        hostclock.Clock // by which agents date their reports
	stopping    atomic.Bool
}

// New returns a server that feeds the registry.
func New(r *registry.Registry, logger *slog.Logger) *Server {
	return &Server{
		registry: r, logger: logger, logLimit: socket.NewLogLimit(logger), connections: newConnections(r, logger), limits: limits(),
		host: hostclock.Own(),
	}
}

// Run takes streams from the listener until ctx is done, then ends them and
// returns nil. What the registry last knew, it goes on knowing.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	ends, err := newExitWatcher()
	if err != nil {
		return fmt.Errorf("taking agents' reports: %w", err)
	}
	s.connections.exits = ends
	working, ctx := errgroup.WithContext(ctx)
	working.Go(func() error { return ends.run(ctx) })
	working.Go(func() error { return s.serveAgents(ctx, l) })
	return working.Wait()
}

func (s *Server) serveAgents(ctx context.Context, l net.Listener) error {
	server := grpc.NewServer(options(s.limits)...)
	intakev1.RegisterIntakeServiceServer(server, s)
	defer context.AfterFunc(ctx, func() {
		s.stopping.Store(true)
		server.Stop()
	})()
	if err := server.Serve(guard.Listen(&listener{l, s.connections, s.logger}, s.limits)); err != nil && ctx.Err() == nil {
		return fmt.Errorf("taking agents' reports: %w", err)
	}
	return nil
}

func limits() guard.Limits {
	return guard.Limits{Message: maxMessage, Streams: maxStreams, Budget: guard.NewBudget(maxUnread, maxOpen)}
}

// options bound what a stranger can make a server hold.
func options(l guard.Limits) []grpc.ServerOption {
	return append(guard.Options(l),
		grpc.Creds(peercred.New()),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleTimeout}),
		grpc.StreamInterceptor(requireHello),
	)
}
