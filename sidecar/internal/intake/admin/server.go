package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
	"github.com/landmark-health/landmark/sidecar/internal/peercred"
	"github.com/landmark-health/landmark/sidecar/internal/registry"
	"github.com/landmark-health/landmark/sidecar/internal/socket"
)

const (
	// maxMessage bounds a request, in bytes. It is little more than a name.
	maxMessage = 4 << 10
	// maxStreams is how many calls one connection may have open at once.
	maxStreams = 4
	// maxHeaders bounds a call's headers, in bytes.
	maxHeaders = 16 << 10
	// handshakeWithin is how long a new connection may take to speak HTTP/2.
	// It bounds Run's end as well: gRPC waits for handshakes when it stops.
	handshakeWithin = 2 * time.Second
	// maxAge is how long a connection lasts, and a call is never longer: an
	// operator says one thing and goes.
	maxAge = 10 * time.Second
)

// Server takes what operators want.
type Server struct {
	adminv1.UnimplementedAdminServiceServer
	registry *registry.Registry
	logger   *slog.Logger
	lines    *socket.LogLimit
}

// New returns a server that tells the registry.
func New(r *registry.Registry, logger *slog.Logger) *Server {
	return &Server{registry: r, logger: logger, lines: socket.NewLogLimit(logger)}
}

// Run takes calls from the Unix listener until ctx is done, then ends them and
// returns nil.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	server := grpc.NewServer(
		grpc.Creds(peercred.New()),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(handshakeWithin),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: maxAge, MaxConnectionAgeGrace: time.Second}),
	)
	adminv1.RegisterAdminServiceServer(server, s)
	defer context.AfterFunc(ctx, server.Stop)()
	if err := server.Serve(l); err != nil && ctx.Err() == nil {
		return fmt.Errorf("taking operators' calls: %w", err)
	}
	return nil
}
