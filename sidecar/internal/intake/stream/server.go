package stream

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"

	"google.golang.org/grpc"

	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
	"github.com/landmark-health/landmark/sidecar/internal/registry"
)

const (
	// maxMessage bounds what one message of an agent may hold, in bytes: a
	// declaration of as many landmarks as there may be, with names as long as
	// they may be, and room to grow.
	maxMessage = 512 << 10
	// maxStreams is how many services one process may report over one
	// connection.
	maxStreams = 1024
)

// Server takes agents' streams.
type Server struct {
	intakev1.UnimplementedIntakeServiceServer
	registry    *registry.Registry
	logger      *slog.Logger
	connections *connections
	stopping    atomic.Bool
}

// New returns a server that feeds the registry.
func New(r *registry.Registry, logger *slog.Logger) *Server {
	return &Server{registry: r, logger: logger, connections: newConnections()}
}

// Run takes streams from the listener until ctx is done, then ends them and
// returns nil. What the registry last knew, it goes on knowing.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	server := grpc.NewServer(
		grpc.Creds(peerCredentials{}),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
	)
	intakev1.RegisterIntakeServiceServer(server, s)
	defer context.AfterFunc(ctx, func() {
		s.stopping.Store(true)
		server.Stop()
	})()
	if err := server.Serve(listener{l, s.connections}); err != nil && ctx.Err() == nil {
		return fmt.Errorf("taking agents' reports: %w", err)
	}
	return nil
}

// ReadEmpty reports whether landmarkd has read all that the agents have sent so
// far: whether no connection's socket holds bytes still. It says nothing of
// what was read but not fed to the registry yet. It may be called by any number
// of goroutines, and before Run; it makes a system call for each connection
// and allocates nothing.
func (s *Server) ReadEmpty() bool { return s.connections.readEmpty() }
