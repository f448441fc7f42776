package agents

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// helloWithin is how long a new stream may take to say whose it is. Until then
// it belongs to no session, whose number has bounds.
const helloWithin = 5 * time.Second

// demandHello is a gRPC stream interceptor that ends streams whose first
// message does not come in time.
func demandHello(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return handle(server, &punctualStream{ServerStream: stream})
}

// punctualStream is a stream whose first message has to come in time.
type punctualStream struct {
	grpc.ServerStream
	begun bool
}

func (s *punctualStream) RecvMsg(m any) error {
	if s.begun {
		return s.ServerStream.RecvMsg(m)
	}
	s.begun = true
	received := make(chan error, 1)
	go func() { received <- s.ServerStream.RecvMsg(m) }() // ends with the stream, at the latest
	timer := time.NewTimer(helloWithin)
	defer timer.Stop()
	select {
	case err := <-received:
		return err
	case <-timer.C:
		return status.Errorf(codes.DeadlineExceeded, "hello: did not come within %v", helloWithin)
	}
}
