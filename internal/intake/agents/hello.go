package agents

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// helloTimeout is how long a new stream may take to say whose it is. Until then
// it belongs to no session, whose number has bounds.
const helloTimeout = 5 * time.Second

// requireHello is a gRPC stream interceptor that ends streams whose first
// message does not come in time.
func requireHello(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return handle(server, &helloTimeoutStream{ServerStream: stream})
}

// helloTimeoutStream is a stream whose first message has to come in time.
type helloTimeoutStream struct {
	grpc.ServerStream
	received bool
}

func (s *helloTimeoutStream) RecvMsg(m any) error {
	if s.received {
		return s.ServerStream.RecvMsg(m)
	}
	s.received = true
	received := make(chan error, 1)
	go func() { received <- s.ServerStream.RecvMsg(m) }() // exits with the stream, at the latest
	timer := time.NewTimer(helloTimeout)
	defer timer.Stop()
	select {
	case err := <-received:
		return err
	case <-timer.C:
		return status.Errorf(codes.DeadlineExceeded, "hello: did not come within %v", helloTimeout)
	}
}
