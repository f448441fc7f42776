package grpcstatus

import (
	"iter"

	"google.golang.org/grpc"

	"github.com/landmark-health/landmark/internal/registry"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// List tells the present of one service, or of all of them, and who asks.
func (s *service) List(q *statusv1.ListRequest, stream grpc.ServerStreamingServer[statusv1.ListResponse]) error {
	name := q.GetService()
	if err := s.find(stream.Context(), name); err != nil {
		return err
	}
	for p := range s.presents(name) {
		service := told(p, name != "")
		service.Checkers = tellCheckers(s.checkers.ByService(p.Name))
		if err := stream.Send(&statusv1.ListResponse{Service: service}); err != nil {
			return err
		}
	}
	return nil
}

// presents yields what is told of the service, or of all of them if the name is
// empty, in the order of their names: each as it is when it is yielded.
func (s *service) presents(name string) iter.Seq[registry.ServiceStatus] {
	return func(yield func(registry.ServiceStatus) bool) {
		names := []string{name}
		if name == "" {
			names = s.source.Names()
		}
		for _, name := range names {
			p, known := s.source.Present(name)
			if known && !yield(p) {
				return
			}
		}
	}
}
