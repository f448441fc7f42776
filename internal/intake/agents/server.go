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
	"github.com/landmark-health/landmark/internal/pidfd"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
)

const (
	// maxMessage is the size of the largest message, in bytes. It fits a report with
	// evidence, or a declaration, of the most landmarks with the longest reasons and
	// names.
	maxMessage = 384 << 10
	// maxStreams is how many services one process may report over one connection.
	maxStreams = 1024
	// maxUnread and maxOpen are for all connections together, beyond what each
	// connection may use by itself: bytes of messages that have not arrived whole, and
	// open streams.
	maxUnread = 8 << 20
	maxOpen   = 1024
	// idleTimeout is how long a connection may stay open without a stream.
	idleTimeout = 10 * time.Second
)

// Server serves agents' streams.
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

// New returns a server that reports to the registry.
func New(r *registry.Registry, logger *slog.Logger) *Server {
	return &Server{
		registry: r, logger: logger, logLimit: socket.NewLogLimit(logger), connections: newConnections(r, logger), limits: limits(),
		host: hostclock.Own(),
	}
}

// Run serves streams from the Unix listener until ctx is done, then ends them and
// returns nil. That changes nothing in the registry.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	exits, err := pidfd.New()
	if err != nil {
		return fmt.Errorf("serving agents: %w", err)
	}
	s.connections.exits = exits
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return exits.Run(ctx) })
	group.Go(func() error { return s.serve(ctx, l) })
	return group.Wait()
}

func (s *Server) serve(ctx context.Context, l net.Listener) error {
	server := grpc.NewServer(options(s.limits)...)
	intakev1.RegisterIntakeServiceServer(server, s)
	defer context.AfterFunc(ctx, func() {
		s.stopping.Store(true)
		server.Stop()
	})()
	if err := server.Serve(guard.Listen(&listener{l, s.connections, s.logger}, s.limits)); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serving agents: %w", err)
	}
	return nil
}

func limits() guard.Limits {
	return guard.Limits{Message: maxMessage, Streams: maxStreams, Budget: guard.NewBudget(maxUnread, maxOpen), ClientStreams: true}
}

// options returns gRPC options that bound what any client can make the server hold.
func options(l guard.Limits) []grpc.ServerOption {
	return append(guard.Options(l),
		grpc.Creds(peercred.New()),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleTimeout}),
	)
}
