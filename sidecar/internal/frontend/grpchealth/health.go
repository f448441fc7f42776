package grpchealth

import (
	"context"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/landmark-health/landmark/sidecar/internal/registry"
)

// health is the service grpc.health.v1.Health over a source.
type health struct {
	healthpb.UnimplementedHealthServer
	source Source
	life   context.Context // done once Watches are to end
}

// response tells an answer. The judge's statuses bear grpc.health.v1's
// numbers.
func response(a registry.Answer) *healthpb.HealthCheckResponse {
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_ServingStatus(a.Status)}
}
