package grpcserver

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errStopping ends the streams of a landmarkd that stops. It is no status of
// any service: clients keep or drop what they were told as they do when any
// connection ends.
var errStopping = status.Error(codes.Unavailable, "landmarkd is stopping")

// mortal has the context of a stream be done once the server is to end, too,
// and the stream then end with errStopping.
func (s *Server) mortal(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.life, func() { cancel(errStopping) })()
	err := handle(service, mortalStream{stream, ctx})
	if err != nil && context.Cause(ctx) == errStopping {
		return errStopping
	}
	return err
}

// mortalStream is a stream with a context of its own.
type mortalStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s mortalStream) Context() context.Context { return s.ctx }
