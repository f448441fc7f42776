package grpcserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // for clients that compress, as grpc-health-probe -gzip does
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/landmark-health/landmark/internal/guard"
)

const (
	// maxStreams is how many questions one connection may have open at once;
	// further ones wait in the client. A checker needs one for each name that
	// it watches, and List tells a hundred names of four aspects at most.
	maxStreams = 500
	// maxMessage bounds a request, in bytes after decompression: the longest
	// is a name to Check or a symbol asked of reflection.
	maxMessage = 4 << 10
	// maxUnread is how many bytes that are part of no whole request all
	// connections may have sent together, and maxOpen how many streams may be
	// open on all together, beyond what each connection has of its own.
	maxUnread = 4 << 20
	maxOpen   = 1024
	// finishWithin is how long the questions under way when Run is to end may
	// take to be answered: the default start grace and the longest ask time-out
	// fit in, one after the other.
	finishWithin = 2 * time.Second
)

// pings allows clients' keep-alive pings without a stream, as Envoy sends
// them, and down to one a second, with room for a late one followed by one in
// time. gRPC's own default would end the connection of a client that pings
// more often than every five minutes.
var pings = keepalive.EnforcementPolicy{
	MinTime:             500 * time.Millisecond,
	PermitWithoutStream: true,
}

// upkeep finds watchers whose machine is gone: they would never be told
// anything again, nor end by themselves.
var upkeep = keepalive.ServerParameters{
	Time:    30 * time.Second,
	Timeout: 10 * time.Second,
}

// Server is a gRPC server with reflection. It is made by New.
type Server struct {
	grpc   *grpc.Server
	limits guard.Limits
	// life is done once the server is to end; end makes it so. It is a field
	// because streams are begun by gRPC, not by Run.
	life context.Context
	end  context.CancelFunc
}

// New returns a server without a service.
func New() *Server {
	s := &Server{limits: guard.Limits{Message: maxMessage, Streams: maxStreams, Budget: guard.NewBudget(maxUnread, maxOpen)}}
	s.life, s.end = context.WithCancel(context.Background())
	s.grpc = grpc.NewServer(append(guard.Options(s.limits),
		grpc.KeepaliveEnforcementPolicy(pings),
		grpc.KeepaliveParams(upkeep),
		grpc.WaitForHandlers(true),
		grpc.StreamInterceptor(s.mortal),
	)...)
	reflection.Register(s.grpc)
	return s
}

// RegisterService implements grpc.ServiceRegistrar, for the time before Run.
func (s *Server) RegisterService(description *grpc.ServiceDesc, service any) {
	s.grpc.RegisterService(description, service)
}

// Run serves on the listeners until ctx is done, or until one of them fails,
// and closes them. It then ends every stream with UNAVAILABLE, lets the other
// calls under way be answered for finishWithin at most, and returns nil or the
// listener's failure. It may be called once.
func (s *Server) Run(ctx context.Context, listeners ...net.Listener) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		g.Go(func() error { return s.serve(l) })
	}
	g.Go(func() error {
		<-ctx.Done()
		s.stop()
		return nil
	})
	return g.Wait()
}

func (s *Server) serve(l net.Listener) error {
	err := s.grpc.Serve(guard.Listen(l, s.limits))
	if err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serving gRPC on %s: %w", l.Addr(), err)
	}
	return nil
}

// stop ends the server, whatever its clients do.
func (s *Server) stop() {
	s.end()
	timer := time.AfterFunc(finishWithin, s.grpc.Stop)
	defer timer.Stop()
	s.grpc.GracefulStop()
}
