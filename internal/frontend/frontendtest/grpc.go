package frontendtest

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

// Server is a gRPC server that runs on a listener in memory, and a connection to
// it.
type Server struct {
	Conn    *grpc.ClientConn
	Stop    context.CancelFunc // stops the server as SIGTERM does
	t       *testing.T
	stopped chan error // receives what run returned
}

// Serve calls run, which must serve on the listener, until the test ends.
func Serve(t *testing.T, l *bufconn.Listener, run func(context.Context) error) *Server {
	t.Helper()
	s := &Server{t: t, stopped: make(chan error, 1)}
	var ctx context.Context
	ctx, s.Stop = context.WithCancel(t.Context())
	go func() { s.stopped <- run(ctx) }()
	s.Conn = Dial(t, "passthrough:///", grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return l.DialContext(ctx)
	}))
	t.Cleanup(func() {
		s.Conn.Close()
		s.Stop()
		if err, ok := <-s.stopped; ok && err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

// AwaitStop waits until the server has stopped, and returns how long that took.
func (s *Server) AwaitStop() time.Duration {
	s.t.Helper()
	start := time.Now()
	if err := <-s.stopped; err != nil {
		s.t.Errorf("Run: %v", err)
	}
	close(s.stopped)
	return time.Since(start)
}

// Dial returns a connection to a gRPC server.
func Dial(t *testing.T, target string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// Receive receives a stream's messages, converts each and sends it on the first
// channel. When the stream ends, it closes that channel and sends the error on the
// second.
func Receive[Response, T any](stream grpc.ServerStreamingClient[Response], convert func(*Response) T) (<-chan T, <-chan error) {
	messages, ended := make(chan T, 100), make(chan error, 1)
	go func() {
		defer close(messages)
		for {
			r, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			messages <- convert(r)
		}
	}()
	return messages, ended
}

// WantMessages fails the test unless exactly the given messages have arrived
// since the last call. It must be called in a synctest bubble.
func WantMessages[T comparable](t *testing.T, when string, messages <-chan T, want ...T) {
	t.Helper()
	synctest.Wait()
	for _, w := range want {
		if len(messages) == 0 {
			t.Errorf("%s: received nothing, want %v", when, w)
		} else if got := <-messages; got != w {
			t.Errorf("%s: received %v, want %v", when, got, w)
		}
	}
	for len(messages) > 0 {
		t.Errorf("%s: received %v, want no more messages", when, <-messages)
	}
}

// SlowStream is the server's end of a stream whose client takes a message when
// the test receives from Taken.
type SlowStream[Response any] struct {
	grpc.ServerStream
	Ctx   context.Context
	Taken chan *Response
}

// NewSlowStream returns a stream that ends with ctx.
func NewSlowStream[Response any](ctx context.Context) *SlowStream[Response] {
	return &SlowStream[Response]{Ctx: ctx, Taken: make(chan *Response)}
}

// Context implements grpc.ServerStream.
func (s *SlowStream[Response]) Context() context.Context { return s.Ctx }

// SendHeader implements grpc.ServerStream.
func (s *SlowStream[Response]) SendHeader(metadata.MD) error { return nil }

// Send implements grpc.ServerStreamingServer. It blocks until the test takes the
// message.
func (s *SlowStream[Response]) Send(r *Response) error {
	select {
	case s.Taken <- r:
		return nil
	case <-s.Ctx.Done():
		return s.Ctx.Err()
	}
}

// WantCanceled cancels a call and fails the test unless the call then ends with
// the status Canceled. It must be called in a synctest bubble.
func WantCanceled(t *testing.T, what string, cancel context.CancelFunc, ended <-chan error) {
	t.Helper()
	synctest.Wait()
	cancel()
	synctest.Wait()
	select {
	case err := <-ended:
		if status.Code(err) != codes.Canceled {
			t.Errorf("%s: the call ended with %v, want Canceled", what, err)
		}
	default:
		t.Errorf("%s: the call has not ended", what)
	}
}
