package grpchealth

import (
	"context"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/judge"
)

// shownName is how much of a name that nobody knows is told back, in runes:
// any that a service could have, but not any that a checker could send.
const shownName = 128

// Check answers one question, with facts as young as the checker's metadata
// landmark-max-age-ms wants them. A name that nobody knows is NOT_FOUND, never
// the status SERVICE_UNKNOWN, which is Watch's alone and crashed Envoy.
func (h *health) Check(ctx context.Context, q *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	maxAge, err := readMaxAge(ctx)
	if err != nil {
		return nil, err
	}
	name := []byte(q.GetService())
	answer, err := h.source.Await(ctx, name, maxAge)
	if err != nil {
		return nil, grpcserver.StatusError(err)
	}
	frontend.Record(h.checkers, checker(ctx, checkers.GRPCCheck), name, &answer)
	if answer.Status == judge.ServiceUnknown {
		return nil, status.Errorf(codes.NotFound,
			"no program has reported a service named %.*q: compare the name with those that List tells, and see that the program runs and finds this landmarkd's socket",
			shownName, q.GetService())
	}
	return response(answer), nil
}
