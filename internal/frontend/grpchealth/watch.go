package grpchealth

import (
	"bytes"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/registry"
)

// longestName is the length at which a name is longer than any that a service
// and an aspect of it can have.
const longestName = 128

// Watch tells the status of a name, then each change of it, until the checker
// goes or landmarkd stops. A name that nobody knows is SERVICE_UNKNOWN until
// somebody reports it. Of the changes during which the checker's flow control
// holds a message back, only the last is told. The program is not asked for any
// of it: that it did not answer such a question in time is no change, and so
// there would be none to take it back.
func (h *health) Watch(q *healthpb.HealthCheckRequest, stream grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	ctx := stream.Context()
	name := []byte(q.GetService())
	if len(name) > longestName { // none can be so long, and it is kept for as long as the stream lasts
		name = bytes.Clone(name[:longestName])
	}
	// Subscribed to before the first question, lest a change fall between.
	sub := h.source.Subscribe(name)
	defer sub.Close()
	answer, err := h.source.Await(ctx, name, registry.AnyAge)
	if err != nil {
		return grpcserver.StatusError(err)
	}
	watch := h.checkers.Watch(checker(ctx, checkers.GRPCWatch))
	defer watch.End()
	for {
		watch.Record(frontend.CheckOf(name, &answer))
		if err := stream.Send(response(answer)); err != nil {
			return err
		}
		told := answer.Status
		for answer.Status == told {
			select {
			case <-sub.Changed():
				if answer, err = h.source.Await(ctx, name, registry.AnyAge); err != nil {
					return grpcserver.StatusError(err)
				}
			case <-ctx.Done():
				return status.FromContextError(ctx.Err()).Err()
			}
		}
	}
}
