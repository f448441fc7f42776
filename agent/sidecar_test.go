package agent

import (
	"context"
	"net"
	"sync"
	"syscall"
	"testing"

	"google.golang.org/grpc"

	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

type agentStream = grpc.BidiStreamingServer[reportv1.StreamRequest, reportv1.StreamResponse]

// A sidecar replaces landmarkd: a real gRPC server with a handler of the test. It
// uses pipes, so that it works in a synctest bubble.
type sidecar struct {
	intakev1.UnimplementedIntakeServiceServer
	handle func(agentStream) error

	mu     sync.Mutex // guards the fields below
	server *grpc.Server
	conns  chan net.Conn // nil while it is stopped
	dials  int
}

// newSidecar returns a sidecar that is not started.
func newSidecar(t *testing.T, handle func(agentStream) error) *sidecar {
	s := &sidecar{handle: handle}
	t.Cleanup(s.stop)
	return s
}

func (s *sidecar) Stream(stream agentStream) error { return s.handle(stream) }

func (s *sidecar) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server = grpc.NewServer()
	s.conns = make(chan net.Conn)
	intakev1.RegisterIntakeServiceServer(s.server, s)
	go s.server.Serve(&pipeListener{conns: s.conns, closed: make(chan struct{})})
}

// stop ends the server and its connections, as if its process ended.
func (s *sidecar) stop() {
	s.mu.Lock()
	server := s.server
	s.server, s.conns = nil, nil
	s.mu.Unlock()
	if server != nil {
		server.Stop()
	}
}

// restart starts the next server before it stops the old one, so there is no gap.
func (s *sidecar) restart() {
	s.mu.Lock()
	old := s.server
	s.mu.Unlock()
	s.start()
	old.Stop()
}

// dial is the agent's dialer.
func (s *sidecar) dial(ctx context.Context) (net.Conn, error) {
	s.mu.Lock()
	s.dials++
	conns := s.conns
	s.mu.Unlock()
	if conns == nil {
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	select {
	case conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *sidecar) dialled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials
}

// A pipeListener accepts the server's end of each pipe.
type pipeListener struct {
	conns  <-chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// welcome is the sidecar's first message.
func welcome() *reportv1.StreamResponse {
	return &reportv1.StreamResponse{Message: &reportv1.StreamResponse_Welcome{Welcome: &reportv1.Welcome{}}}
}

// getState is the sidecar's request for the state.
func getState(number uint64) *reportv1.StreamResponse {
	return &reportv1.StreamResponse{Message: &reportv1.StreamResponse_GetState{
		GetState: &reportv1.GetState{Number: number},
	}}
}
