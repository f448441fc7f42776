package grpchealth

import (
	"bytes"
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/registry"
)

// maxWatchedName is how much of a name Watch keeps, in bytes. No service and
// aspect have a name so long.
const maxWatchedName = 128

// waitAgain is how long a Watch waits until it asks again for an answer for which too many
// wait, if there is no change.
const waitAgain = 200 * time.Millisecond

// Watch sends the status of a name, then each change of it, until the checker
// leaves or landmarkd stops. An unknown name is SERVICE_UNKNOWN until a program
// reports it. While the checker's flow control holds a message back, Watch skips
// all changes except the last.
//
// Watch never sends a get-state command. An unanswered command would make the
// status NOT_SERVING for this checker alone, and no later change would end it.
func (s *service) Watch(q *healthpb.HealthCheckRequest, stream grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	ctx := grpcserver.WithClient(stream.Context())
	name := []byte(q.GetService())
	if len(name) > maxWatchedName { // keep little for as long as the stream lasts
		name = bytes.Clone(name[:maxWatchedName])
	}
	// Subscribe before the first lookup, so that no change is missed.
	sub := s.config.Source.Subscribe(name)
	defer sub.Close()
	answer, err := s.await(ctx, name, sub)
	if err != nil {
		return grpcserver.StatusError(err)
	}
	watch := s.config.Checkers.Watch(checker(ctx, checkers.GRPCWatch))
	defer watch.End()
	for {
		watch.Record(frontend.CheckOf(name, &answer))
		if err := stream.Send(response(answer)); err != nil {
			return err
		}
		sent := answer.Status
		for answer.Status == sent {
			select {
			case <-sub.Changed():
				if answer, err = s.await(ctx, name, sub); err != nil {
					return grpcserver.StatusError(err)
				}
			case <-ctx.Done():
				return status.FromContextError(ctx.Err()).Err()
			}
		}
	}
}

// await waits for the final answer of a Watch. After a pause or start of landmarkd more
// Watches may wait than it allows. They all go on, because their clients would only come
// back together. A change ends the time until they try again: the answer may be final by then.
func (s *service) await(ctx context.Context, name []byte, sub *registry.Subscription) (registry.Answer, error) {
	for {
		answer, err := s.config.Source.Await(ctx, name, registry.AnyAge)
		if !errors.Is(err, registry.ErrOverloaded) {
			return answer, err
		}
		select {
		case <-sub.Changed():
		case <-time.After(waitAgain):
		case <-ctx.Done():
			return registry.Answer{}, ctx.Err()
		}
	}
}
