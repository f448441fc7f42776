package agents

import (
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/contract"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// helloTimeout is how long a new stream may take to send its Hello. Until then it
// belongs to no session, and so the limit on sessions does not count it.
const helloTimeout = 5 * time.Second

// requireHello is a gRPC stream interceptor that ends streams whose first message
// does not arrive within helloTimeout.
func requireHello(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return handle(server, &helloTimeoutStream{ServerStream: stream})
}

// helloTimeoutStream is a stream whose first RecvMsg has a timeout.
type helloTimeoutStream struct {
	grpc.ServerStream
	received bool
}

func (s *helloTimeoutStream) RecvMsg(m any) error {
	if s.received {
		return s.ServerStream.RecvMsg(m)
	}
	s.received = true
	result := make(chan error, 1)
	go func() { result <- s.ServerStream.RecvMsg(m) }() // returns when the stream ends, at the latest
	timer := time.NewTimer(helloTimeout)
	defer timer.Stop()
	select {
	case err := <-result:
		return err
	case <-timer.C:
		return status.Errorf(codes.DeadlineExceeded, "hello: did not come within %v", helloTimeout)
	}
}

// receiveHello receives and checks the first message of a stream.
func receiveHello(stream agentStream) (*reportv1.Hello, error) {
	m, err := stream.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	hello := m.GetHello() // nil also if the stream ended without a message
	if hello == nil {
		return nil, invalid("hello", "must be the first message of a stream")
	}
	if err := contract.CheckServiceName(hello.Service); err != nil {
		return nil, invalid("hello.service", "%v", err)
	}
	if err := contract.CheckInstanceName(hello.Instance); err != nil {
		return nil, invalid("hello.instance", "%v", err)
	}
	return hello, nil
}
