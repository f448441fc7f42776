package grpcstatus

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// History tells the last changes of one service.
func (s *service) History(ctx context.Context, q *statusv1.HistoryRequest) (*statusv1.HistoryResponse, error) {
	name := q.GetService()
	if name == "" {
		return nil, status.Error(codes.InvalidArgument, "each service has a history of its own: name one")
	}
	if err := s.find(ctx, name); err != nil {
		return nil, err
	}
	changes, known := s.source.History(name)
	if !known {
		return nil, unknown(name)
	}
	told := make([]*statusv1.Change, len(changes))
	now := time.Now()
	for i, c := range changes {
		told[i] = change(c, now)
	}
	return &statusv1.HistoryResponse{Changes: told}, nil
}

func change(c registry.Change, now time.Time) *statusv1.Change {
	verdict := func(a judge.Aspect) *statusv1.Verdict {
		v := c.Verdicts[a]
		return &statusv1.Verdict{
			Status: statusv1.Status(v.Status),
			Cause:  statusv1.Cause(v.Cause),
			Weight: uint32(v.Weight),
			Reason: v.Reason,
		}
	}
	return &statusv1.Change{
		Time:      timestamppb.New(now.Add(-c.Age)),
		Age:       durationpb.New(c.Age),
		Readiness: verdict(judge.Readiness),
		Liveness:  verdict(judge.Liveness),
		Startup:   verdict(judge.Startup),
		Landmarks: landmarks(c.Landmarks),
	}
}
