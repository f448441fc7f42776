package stream

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
	"github.com/landmark-health/landmark/sidecar/internal/peercred"
	"github.com/landmark-health/landmark/sidecar/internal/registry"
	"github.com/landmark-health/landmark/sidecar/internal/socket"
)

const (
	// maxMessage bounds what one message of an agent may hold, in bytes: a
	// declaration of as many landmarks as there may be, with names as long as
	// they may be, and room to grow.
	maxMessage = 512 << 10
	// maxStreams is how many services one process may report over one
	// connection.
	maxStreams = 1024
	// maxHeaders bounds a stream's headers, in bytes. Agents send none of
	// their own.
	maxHeaders = 16 << 10
	// window is how much an agent may send before it is read, in bytes, on a
	// stream and on a connection: some reports of the longest kind. To give it
	// keeps gRPC from measuring what would be best, which takes a ping and its
	// answer for each report.
	window = 1 << 20
	// buffer is what is read and written at a time on a connection, in bytes:
	// most reports fit in, and each connection keeps two of them.
	buffer = 4 << 10
	// handshakeWithin is how long a new connection may take to speak HTTP/2.
	// It bounds Run's end as well: gRPC waits for handshakes when it stops.
	handshakeWithin = 2 * time.Second
	// idleWithin is how long a connection may have no stream.
	idleWithin = 10 * time.Second
)

// Server takes agents' streams.
type Server struct {
	intakev1.UnimplementedIntakeServiceServer
	registry    *registry.Registry
	logger      *slog.Logger
	lines       *socket.LogLimit
	connections *connections
	stopping    atomic.Bool
}

// New returns a server that feeds the registry.
func New(r *registry.Registry, logger *slog.Logger) *Server {
	return &Server{registry: r, logger: logger, lines: socket.NewLogLimit(logger), connections: newConnections(r)}
}

// Run takes streams from the listener until ctx is done, then ends them and
// returns nil. What the registry last knew, it goes on knowing.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	server := grpc.NewServer(options()...)
	intakev1.RegisterIntakeServiceServer(server, s)
	defer context.AfterFunc(ctx, func() {
		s.stopping.Store(true)
		server.Stop()
	})()
	if err := server.Serve(&listener{l, s.connections, s.logger}); err != nil && ctx.Err() == nil {
		return fmt.Errorf("taking agents' reports: %w", err)
	}
	return nil
}

// options bound what a stranger can make a server hold.
func options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(peercred.New()),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(handshakeWithin),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
		grpc.ReadBufferSize(buffer),
		grpc.WriteBufferSize(buffer),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleWithin}),
		grpc.StreamInterceptor(demandHello),
	}
}

// ReadEmpty reports whether landmarkd has read all that the agents have sent so
// far: whether no connection's socket holds bytes still. It says nothing of
// what was read but not fed to the registry yet. It may be called by any number
// of goroutines, and before Run; it makes a system call for each connection
// and allocates nothing.
func (s *Server) ReadEmpty() bool { return s.connections.readEmpty() }
