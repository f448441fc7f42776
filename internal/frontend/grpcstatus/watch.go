package grpcstatus

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/frontend/statusmsg"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

const (
	// maxWatches is how many Watches may be open at once. They are for people,
	// and each remembers what it sent of every service.
	maxWatches = 64
	// scanInterval is the shortest time between two scans of all services by one
	// Watch.
	scanInterval = 100 * time.Millisecond
)

// changeKey is what must differ for Watch to send a service again.
type changeKey struct {
	verdicts [judge.Aspects]struct {
		status judge.Status
		cause  judge.Cause
		weight uint8
	}
	drained bool
}

func changeKeyOf(p registry.ServiceStatus) changeKey {
	k := changeKey{drained: p.Drained}
	for i, a := range p.Answers {
		v := &k.verdicts[i]
		v.status, v.cause, v.weight = a.Status, a.Cause, a.Weight
	}
	return k
}

// Watch sends the present state as List does, then each change of it, until the
// client leaves or landmarkd stops. It looks up a service only when it can send
// it. While the client's flow control holds a message back, Watch so skips all
// changes except the last.
func (s *service) Watch(q *statusv1.WatchRequest, stream grpc.ServerStreamingServer[statusv1.WatchResponse]) error {
	select {
	case s.watches <- struct{}{}:
		defer func() { <-s.watches }()
	default:
		return status.Errorf(codes.ResourceExhausted, "%d watches are open, the most that landmarkd allows: end one of them", maxWatches)
	}
	name := q.GetService()
	// Subscribe before the first lookup, so that no change is missed.
	sub := s.config.Source.Subscribe([]byte(name))
	defer sub.Close()
	if err := s.awaitKnown(stream.Context(), name); err != nil {
		return err
	}
	// The header shows the client that the watch has started, though there may be
	// no service to send for long.
	if err := stream.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	if err := s.awaitFinal(stream.Context(), name); err != nil {
		return err
	}
	last := make(map[string]changeKey)
	for {
		for p := range s.statuses(name) {
			key := changeKeyOf(p)
			if key == last[p.Name] {
				continue
			}
			if err := stream.Send(&statusv1.WatchResponse{Service: statusmsg.Service(p, name != "")}); err != nil {
				return err
			}
			last[p.Name] = key
		}
		if err := awaitChange(stream, sub, name == ""); err != nil {
			return err
		}
	}
}

// awaitChange waits for a change, and with scansAll at least for scanInterval. It
// returns an error if the stream ends.
func awaitChange(stream grpc.ServerStream, sub *registry.Subscription, scansAll bool) error {
	ctx := stream.Context()
	if scansAll {
		timer := time.NewTimer(scanInterval)
		defer timer.Stop()
		select {
		case <-timer.C:
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
