package grpchealth

import (
	"context"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/registry"
)

// maxListed is how many names List tells, "" included: as many as grpc-go's
// own server does.
const maxListed = 100

// List tells the status, by facts of any age, of every service that was reported and,
// as "", of all together. The names of a service's aspects are not listed.
func (h *health) List(ctx context.Context, _ *healthpb.HealthListRequest) (*healthpb.HealthListResponse, error) {
	names := append(h.source.Names(), "")
	if len(names) > maxListed {
		return nil, status.Errorf(codes.ResourceExhausted,
			"there are %d names, and List tells %d at most: ask Check for those you need", len(names), maxListed)
	}
	statuses := make(map[string]*healthpb.HealthCheckResponse, len(names))
	for _, name := range names {
		answer, err := h.source.Await(ctx, []byte(name), registry.AnyAge)
		if err != nil {
			return nil, grpcserver.StatusError(err)
		}
		statuses[name] = response(answer)
	}
	return &healthpb.HealthListResponse{Statuses: statuses}, nil
}
