package grpcstatus

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// service is landmark.status.v1.StatusService over a source.
type service struct {
	statusv1.UnimplementedStatusServiceServer
	source   Source
	checkers Checkers
	watching chan struct{} // holds one token for each Watch
}

// Register has the server answer landmark.status.v1 by what the source tells,
// and the checkers. A Watch ends when its stream's context is done.
func Register(server grpc.ServiceRegistrar, source Source, checkers Checkers) {
	statusv1.RegisterStatusServiceServer(server, newService(source, checkers))
}

func newService(source Source, checkers Checkers) *service {
	return &service{source: source, checkers: checkers, watching: make(chan struct{}, maxWatches)}
}

// find returns nil if the service is known, or all are meant, and else what its
// checker is to be told. While agents may still be coming back to a landmarkd that
// has only just started, it waits for them.
func (s *service) find(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	if err := contract.CheckServiceName(name); err != nil {
		return status.Errorf(codes.NotFound, "the name %v", err)
	}
	if _, known := s.source.Present(name); known {
		return nil
	}
	if _, err := s.source.Await(ctx, []byte(name), 0); err != nil {
		return grpcserver.StatusError(err)
	}
	if _, known := s.source.Present(name); !known {
		return unknown(name)
	}
	return nil
}

// unknown is what the checker about a service that nobody knows is told.
func unknown(name string) error {
	return status.Errorf(codes.NotFound,
		"no program has reported a service named %q, nor is it configured: compare the name with those of all services, and see that the program runs and finds this landmarkd's socket", name)
}
