package grpcstatus

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

const (
	// maxWatches is how many Watches there may be at once: they are for people,
	// and each remembers what it told of every service.
	maxWatches = 64
	// rest is how long a Watch of all services waits between one look at all
	// of them and the next.
	rest = 100 * time.Millisecond
)

// essence is what has to differ for a service to be told anew.
type essence struct {
	verdicts [judge.Aspects]struct {
		status judge.Status
		cause  judge.Cause
		weight uint8
	}
	drained bool
}

func essenceOf(p registry.ServiceStatus) essence {
	e := essence{drained: p.Drained}
	for i, a := range p.Answers {
		v := &e.verdicts[i]
		v.status, v.cause, v.weight = a.Status, a.Cause, a.Weight
	}
	return e
}

// Watch tells the present as List does, then each change of it, until the checker
// goes or landmarkd stops. It looks at a service only when it can tell it, so
// of the changes during which the checker's flow control holds a message back
// only the last is told.
func (s *service) Watch(q *statusv1.WatchRequest, stream grpc.ServerStreamingServer[statusv1.WatchResponse]) error {
	select {
	case s.watching <- struct{}{}:
		defer func() { <-s.watching }()
	default:
		return status.Errorf(codes.ResourceExhausted, "%d watch already, as many as landmarkd lets: end one of them", maxWatches)
	}
	name := q.GetService()
	// Subscribed to before the first look, lest a change fall between.
	sub := s.source.Subscribe([]byte(name))
	defer sub.Close()
	if err := s.find(stream.Context(), name); err != nil {
		return err
	}
	// The checker hears that the watch has begun, though there may be nothing to
	// tell for long.
	if err := stream.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	last := make(map[string]essence)
	for {
		for p := range s.presents(name) {
			e := essenceOf(p)
			if e == last[p.Name] {
				continue
			}
			if err := stream.Send(&statusv1.WatchResponse{Service: told(p, name != "")}); err != nil {
				return err
			}
			last[p.Name] = e
		}
		if err := await(stream, sub, name == ""); err != nil {
			return err
		}
	}
}

// await returns nil once there is news, and no sooner than after a rest where
// that is needed; else why the stream ends.
func await(stream grpc.ServerStream, sub *registry.Subscription, resting bool) error {
	ctx := stream.Context()
	if resting {
		rested := time.NewTimer(rest)
		defer rested.Stop()
		select {
		case <-rested.C:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
	select {
	case <-sub.Changed():
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}
