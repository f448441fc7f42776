package grpchealth

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// errStopping ends the Watches of a landmarkd that stops. It is no status of
// the service: clients keep or drop what they were told as they do when any
// connection ends.
var errStopping = status.Error(codes.Unavailable, "landmarkd is stopping")

// Watch tells the status of a name, then each change of it, until the asker
// goes or landmarkd stops. A name that nobody knows is SERVICE_UNKNOWN until
// somebody reports it. Of the changes during which the asker's flow control
// holds a message back, only the last is told.
func (h *health) Watch(q *healthpb.HealthCheckRequest, stream grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	defer context.AfterFunc(h.life, func() { cancel(errStopping) })()

	name := []byte(q.GetService())
	// Subscribed to before the first question, lest a change fall between.
	sub := h.source.Watch(name)
	defer sub.Close()
	answer, err := h.source.Ask(ctx, name, 0)
	if err != nil {
		return ending(ctx)
	}
	for {
		if err := stream.Send(response(answer)); err != nil {
			return err
		}
		told := answer.Status
		for answer.Status == told {
			select {
			case <-sub.News():
				answer, _ = h.source.Look(name, 0)
			case <-ctx.Done():
				return ending(ctx)
			}
		}
	}
}

// ending returns the status with which a Watch whose ctx is done ends.
func ending(ctx context.Context) error {
	if context.Cause(ctx) == errStopping {
		return errStopping
	}
	return status.FromContextError(ctx.Err()).Err()
}
