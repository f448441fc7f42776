// Package admin is the intake of operators' orders: it receives drains, resumes and
// requests to forget a service over the admin socket (proto/landmark/admin/v1), and
// passes them to the registry with the operator's user, which the kernel reports. It
// also shows operators the evidence of their services, which no front end may.
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
	// maxMessage is the size of the largest request, in bytes. A request is little more
	// than a name.
	maxMessage = 4 << 10
	// maxStreams is how many calls one connection may have open at once.
	maxStreams = 4
	// maxUnread is how many bytes of requests that have not arrived whole all
	// connections may hold together, beyond what each may hold by itself.
	maxUnread = 64 << 10
	// maxAge is how long a connection may stay open. A call never takes longer.
	maxAge = 10 * time.Second
)

// Server serves operators' calls.
type Server struct {
	adminv1.UnimplementedAdminServiceServer
	registry *registry.Registry
	save     func(context.Context) error
	logger   *slog.Logger
	logLimit *socket.LogLimit
}

// New returns a server that passes orders to the registry. save returns nil once all
// orders so far will survive a restart of the sidecar, or an error if they will not.
func New(r *registry.Registry, save func(context.Context) error, logger *slog.Logger) *Server {
	return &Server{registry: r, save: save, logger: logger, logLimit: socket.NewLogLimit(logger)}
}

// Run serves calls from the Unix listener until ctx is done, then ends them and
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
		return fmt.Errorf("serving operators: %w", err)
	}
	return nil
}
