// Package grpcstatus is the front end for people and their tools. It speaks
// landmark.status.v1 (proto/landmark/status/v1), which says of a service not
// only whether it is serving, but also why, since when, and what was before. It
// translates the registry's answers, and judges nothing itself.
package grpcstatus

import (
	"context"
	"errors"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/frontend/statusmsg"
	"github.com/landmark-health/landmark/internal/registry"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// Config configures the service.
type Config struct {
	Source   statusmsg.Source
	Checkers statusmsg.CheckerSource
	// Earlier returns the changes of a service that earlier sidecars have seen, the oldest
	// first; nil = none are known.
	Earlier func(service string) []registry.Change
}

// Register registers landmark.status.v1 on the server. A Watch ends when its
// stream's context is done.
func Register(server grpc.ServiceRegistrar, c Config) {
	statusv1.RegisterStatusServiceServer(server, newService(c))
}

// service is landmark.status.v1.StatusService.
type service struct {
	statusv1.UnimplementedStatusServiceServer
	config  Config
	watches chan struct{} // a semaphore with a token for each Watch
}

func newService(c Config) *service {
	if c.Earlier == nil {
		c.Earlier = func(string) []registry.Change { return nil }
	}
	return &service{config: c, watches: make(chan struct{}, maxWatches)}
}

// List sends the present state of one service, or of all of them, and its checkers,
// BFD sessions and gate.
func (s *service) List(q *statusv1.ListRequest, stream grpc.ServerStreamingServer[statusv1.ListResponse]) error {
	name := q.GetService()
	if err := s.awaitKnown(stream.Context(), name); err != nil {
		return err
	}
	checkers := statusmsg.NewCheckers(s.config.Source, s.config.Checkers)
	for p := range s.statuses(name) {
		service := statusmsg.Service(p, name != "")
		checkers.AddTo(service)
		if err := stream.Send(&statusv1.ListResponse{Service: service}); err != nil {
			return err
		}
	}
	return nil
}

// History returns the last changes of one service.
func (s *service) History(ctx context.Context, q *statusv1.HistoryRequest) (*statusv1.HistoryResponse, error) {
	name := q.GetService()
	if name == "" {
		return nil, status.Error(codes.InvalidArgument, "each service has a history of its own: name one")
	}
	err := s.awaitKnown(ctx, name)
	if err != nil && status.Code(err) != codes.NotFound {
		return nil, err
	}
	changes, known := s.config.Source.History(name)
	earlier := s.config.Earlier(name)
	switch {
	case known:
	case len(earlier) > 0: // it has not come back since the sidecar was restarted
	case err != nil:
		return nil, err
	default:
		return nil, errUnknown(name)
	}
	now := time.Now()
	return &statusv1.HistoryResponse{Changes: translateChanges(changes, now), Earlier: translateChanges(earlier, now)}, nil
}

func translateChanges(changes []registry.Change, now time.Time) []*statusv1.Change {
	translated := make([]*statusv1.Change, len(changes))
	for i, c := range changes {
		translated[i] = statusmsg.Change(c, now)
	}
	return translated
}

// Checkers returns the checkers and BFD sessions of all services together and of
// unknown names.
func (s *service) Checkers(context.Context, *statusv1.CheckersRequest) (*statusv1.CheckersResponse, error) {
	return statusmsg.NewCheckers(s.config.Source, s.config.Checkers).Others(), nil
}

// awaitKnown returns nil if the service is known, or the name is empty and so
// means all services; else NOT_FOUND. Shortly after landmarkd starts it waits for
// agents to come back.
func (s *service) awaitKnown(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	if err := contract.CheckServiceName(name); err != nil {
		return status.Errorf(codes.NotFound, "the name %v", err)
	}
	if _, known := s.config.Source.Status(name); known {
		return nil
	}
	if _, err := s.config.Source.Await(grpcserver.WithClient(ctx), []byte(name), 0); err != nil {
		return grpcserver.StatusError(err)
	}
	if _, known := s.config.Source.Status(name); !known {
		return errUnknown(name)
	}
	return nil
}

// awaitFinal waits until the answers about the service, or about all services if the
// name is empty, are final. Shortly after landmarkd starts they are not, and a watch
// that sent them would show a fall that no checker sees.
func (s *service) awaitFinal(ctx context.Context, name string) error {
	ctx = grpcserver.WithClient(ctx)
	for _, name := range s.names(name) {
		_, err := s.config.Source.Await(ctx, []byte(name), registry.AnyAge)
		if err != nil && !errors.Is(err, registry.ErrOverloaded) {
			return grpcserver.StatusError(err)
		}
	}
	return nil
}

// errUnknown returns the error for an unknown service.
func errUnknown(name string) error {
	return status.Errorf(codes.NotFound,
		"no program has reported a service named %q, and it is not configured: compare the name with those of all services, and check that the program runs and finds this landmarkd's socket", name)
}

// names returns the names of all services if the name is empty, else the name.
func (s *service) names(name string) []string {
	if name == "" {
		return s.config.Source.Names()
	}
	return []string{name}
}

// statuses yields the status of the service, or of all services in the order of
// their names if the name is empty. Each is looked up when it is yielded.
func (s *service) statuses(name string) iter.Seq[registry.ServiceStatus] {
	return func(yield func(registry.ServiceStatus) bool) {
		for _, name := range s.names(name) {
			p, known := s.config.Source.Status(name)
			if known && !yield(p) {
				return
			}
		}
	}
}
