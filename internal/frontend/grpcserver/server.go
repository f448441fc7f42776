// Package grpcserver is the gRPC server that the front ends for gRPC share: its
// limits, its keep-alive, and how it stops. It answers nothing itself and knows
// no front end; each front end registers its service on it.
package grpcserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // for clients that compress, as grpc-health-probe -gzip does
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/guard"
	"github.com/landmark-health/landmark/internal/registry"
)

const (
	// maxStreams is how many calls one connection may have open at once; more
	// wait in the client. A checker needs one for each name that it watches, and
	// List returns at most a hundred services of four aspects each.
	maxStreams = 500
	// maxMessage is the longest request, in bytes after decompression. It fits
	// the longest name for Check and the longest symbol for reflection.
	maxMessage = 4 << 10
	// maxUnread is how many bytes of unfinished requests all connections together
	// may have sent, beyond the allowance of each connection.
	maxUnread = 4 << 20
	// streamMemory is how many bytes an open stream may cost: a goroutine's stack of 8 kB,
	// what gRPC keeps of it, and a hundred headers.
	streamMemory = 24_000
	// allowedStreams is about how many streams all connections may have open together by
	// the allowance of each.
	allowedStreams = 800
	// workers is how many goroutines serve one call after another. Their stacks have
	// grown already, which costs as much as the rest of the work for a Check. While all
	// are busy, for instance with Watches, a call gets a goroutine of its own.
	workers = 64
	// stopTimeout is how long Run waits for open calls before it returns. The
	// default start grace, 1 s, and then the longest wait for a main loop, 800 ms,
	// fit in.
	stopTimeout = 2 * time.Second
)

// clientPings allows keep-alive pings from clients that have no stream open, as
// Envoy sends them, and up to one a second. The minimum is shorter, because a
// late ping may be followed by one in time. By default gRPC closes the connection
// of a client that pings more often than every five minutes.
var clientPings = keepalive.EnforcementPolicy{
	MinTime:             500 * time.Millisecond,
	PermitWithoutStream: true,
}

// serverPings closes the connections of watchers whose machine is gone. Nothing
// else would end them.
var serverPings = keepalive.ServerParameters{
	Time:    30 * time.Second,
	Timeout: 10 * time.Second,
}

// errStopping ends the streams of a landmarkd that stops. It is no status of a
// service: clients treat it as the end of any connection.
var errStopping = status.Error(codes.Unavailable, "landmarkd is stopping")

// Config configures a Server.
type Config struct {
	Listeners []net.Listener // to serve on; Run closes them
}

// Server is a gRPC server with reflection. It is made by New.
type Server struct {
	listeners []net.Listener
	grpc      *grpc.Server
	limits    guard.Limits
	// stopping is done once the server stops. It is a field because gRPC starts
	// the streams, not Run.
	stopping context.Context
	stop     context.CancelFunc // makes stopping done
	refusals [len(refusalCodes)]atomic.Uint64
}

// refusalCodes are the statuses of calls that get no answer because of what the client
// sends, or because too many do.
var refusalCodes = [...]struct {
	code codes.Code
	name string // as grpc.health.v1's clients know it, in lower case
}{
	{codes.InvalidArgument, "invalid_argument"},
	{codes.ResourceExhausted, "resource_exhausted"},
	{codes.Unavailable, "unavailable"},
}

// Refused yields the statuses of calls that got no answer, and how many did not; and how
// many connections were closed because their client sends too many calls.
func (s *Server) Refused(yield func(reason string, n uint64) bool) {
	if !yield("rate", s.limits.Budget.TooFast()) {
		return
	}
	for i, refusal := range refusalCodes {
		if !yield(refusal.name, s.refusals[i].Load()) {
			return
		}
	}
}

// countRefusal counts a call that ended with err, if that is one.
func (s *Server) countRefusal(err error) {
	if err == nil {
		return
	}
	code := status.Code(err)
	for i, refusal := range refusalCodes {
		if code == refusal.code {
			s.refusals[i].Add(1)
		}
	}
}

// countUnary is a unary interceptor. It counts the calls that are refused.
func (s *Server) countUnary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	answer, err := handle(ctx, request)
	s.countRefusal(err)
	return answer, err
}

// maxOpen returns how many streams all connections together may have open, beyond the
// allowance of each connection: as many as fit with those into half of the Go runtime's
// memory limit.
func maxOpen(memory int64) int {
	return int(min(max(1024, memory/2/streamMemory-allowedStreams), 10_240))
}

// New returns a server without a service.
func New(c Config) *Server {
	s := &Server{
		listeners: c.Listeners,
		limits:    guard.Limits{Message: maxMessage, Streams: maxStreams, Budget: guard.NewBudget(maxUnread, maxOpen(debug.SetMemoryLimit(-1)))},
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.grpc = grpc.NewServer(append(guard.Options(s.limits),
		grpc.KeepaliveEnforcementPolicy(clientPings),
		grpc.KeepaliveParams(serverPings),
		grpc.WaitForHandlers(true),
		grpc.NumStreamWorkers(workers),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.UnaryInterceptor(s.countUnary),
		grpc.StreamInterceptor(s.cancelOnStop),
	)...)
	reflection.Register(s.grpc)
	return s
}

// RegisterService implements grpc.ServiceRegistrar. It must not be called after
// Run.
func (s *Server) RegisterService(description *grpc.ServiceDesc, service any) {
	s.grpc.RegisterService(description, service)
}

// Run serves until ctx is done or a listener fails, and closes the listeners. It
// then ends every stream with UNAVAILABLE, waits at most 2 s for the other open
// calls, and returns nil or the listener's error. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range s.listeners {
		g.Go(func() error { return s.serve(l) })
	}
	g.Go(func() error {
		<-ctx.Done()
		s.stop()
		timer := time.AfterFunc(stopTimeout, s.grpc.Stop)
		defer timer.Stop()
		s.grpc.GracefulStop()
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

// cancelOnStop is a stream interceptor. It cancels a stream's context also when
// the server stops, and then returns errStopping.
func (s *Server) cancelOnStop(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.stopping, func() { cancel(errStopping) })()
	err := handle(service, streamWithContext{stream, ctx})
	if err != nil && context.Cause(ctx) == errStopping {
		return errStopping
	}
	s.countRefusal(err)
	return err
}

// streamWithContext is a stream with another context.
type streamWithContext struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s streamWithContext) Context() context.Context { return s.ctx }

// WithClient returns the context of a call for registry.Await, which divides its places among
// clients.
func WithClient(ctx context.Context) context.Context {
	return registry.WithClient(ctx, guard.ClientOf(ctx))
}

// StatusError returns the gRPC error for a call that got no answer from the
// registry: Unavailable if too many wait, else the reason that ctx ended.
func StatusError(err error) error {
	if errors.Is(err, registry.ErrOverloaded) {
		return status.Error(codes.Unavailable, err.Error())
	}
	return status.FromContextError(err).Err()
}
