package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/landmark-health/landmark/internal/guard"
	"github.com/landmark-health/landmark/internal/peercred"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
)

const (
	// maxMessage bounds a request, in bytes. It is little more than a name.
	maxMessage = 4 << 10
	// maxStreams is how many calls one connection may have open at once.
	maxStreams = 4
	// maxUnread is how many bytes that are part of no whole request all
	// connections may have sent together, beyond what each has of its own.
	maxUnread = 64 << 10
	// maxAge is how long a connection lasts, and a call is never longer: an
	// operator says one thing and goes.
	maxAge = 10 * time.Second
)

// Server takes what operators want.
type Server struct {
	adminv1.UnimplementedAdminServiceServer
	registry *registry.Registry
	save     func(context.Context) error // returns once what was ordered outlives a restart
	logger   *slog.Logger
	logLimit *socket.LogLimit
}

// New returns a server that tells the registry. remember returns once what was
// ordered outlives a restart of the sidecar, or why it will not.
func New(r *registry.Registry, remember func(context.Context) error, logger *slog.Logger) *Server {
	return &Server{registry: r, save: remember, logger: logger, logLimit: socket.NewLogLimit(logger)}
}

// Run takes calls from the Unix listener until ctx is done, then ends them and
// returns nil.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	limits := guard.Limits{Message: maxMessage, Streams: maxStreams, Budget: guard.NewBudget(maxUnread, maxStreams)}
	server := grpc.NewServer(append(guard.Options(limits),
		grpc.Creds(peercred.New()),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: maxAge, MaxConnectionAgeGrace: time.Second}),
	)...)
	adminv1.RegisterAdminServiceServer(server, s)
	defer context.AfterFunc(ctx, server.Stop)()
	if err := server.Serve(guard.Listen(l, limits)); err != nil && ctx.Err() == nil {
		return fmt.Errorf("taking operators' calls: %w", err)
	}
	return nil
}
