package grpchealth

import (
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
)

// health is the service grpc.health.v1.Health over a source.
type health struct {
	healthpb.UnimplementedHealthServer
	source   Source
	checkers frontend.Checkers
}

// Register has the server answer grpc.health.v1 by what the source tells, and
// the checkers of Check and Watch remembered. A Watch ends when its stream's
// context is done.
func Register(server grpc.ServiceRegistrar, source Source, checkers frontend.Checkers) {
	healthpb.RegisterHealthServer(server, &health{source: source, checkers: checkers})
}

// response tells an answer. The judge's statuses bear grpc.health.v1's
// numbers.
func response(a registry.Answer) *healthpb.HealthCheckResponse {
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_ServingStatus(a.Status)}
}
