// Package grpcstatus is the front end for people and their tools. It speaks
// landmark.status.v1 (proto/landmark/status/v1), which says of a service not
// only whether it is serving, but also why, since when, and what was before. It
// translates the registry's answers, and judges nothing itself.
package grpcstatus

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// Source gives the answers. Its methods are safe for concurrent use.
type Source interface {
	frontend.Source
	// Names returns the sorted names of the known services.
	Names() []string
	// Status returns the status of a service, and whether it is known.
	Status(name string) (registry.ServiceStatus, bool)
	// History returns the last changes of a service, the oldest first, and
	// whether it is known.
	History(name string) ([]registry.Change, bool)
}

// Checkers returns the checkers that the other front ends recorded. Its methods
// are safe for concurrent use.
type Checkers interface {
	// ByService returns the checkers of a service, or of all services together if
	// it is empty.
	ByService(service string) []checkers.Stats
	// Unknown returns the checkers of names that were unknown.
	Unknown() []checkers.Unknown
	// BFDSessions returns the BFD sessions, in the order in which they are shown.
	BFDSessions() []checkers.BFDStats
	// Gate returns the gate of a service, and whether it has one.
	Gate(service string) (checkers.GateStats, bool)
}

// Config configures the service.
type Config struct {
	Source   Source
	Checkers Checkers
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
	return &service{config: c, watches: make(chan struct{}, maxWatches)}
}

// List sends the present state of one service, or of all of them, and its checkers,
// BFD sessions and gate.
func (s *service) List(q *statusv1.ListRequest, stream grpc.ServerStreamingServer[statusv1.ListResponse]) error {
	name := q.GetService()
	if err := s.awaitKnown(stream.Context(), name); err != nil {
		return err
	}
	sessions := s.bfdSessions()
	for p := range s.statuses(name) {
		service := translateService(p, name != "")
		service.BfdSessions = sessions[target{p.Name, true}]
		service.Checkers = translateCheckers(s.config.Checkers.ByService(p.Name))
		if g, ok := s.config.Checkers.Gate(p.Name); ok {
			service.Gate = translateGate(g)
		}
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
	if err := s.awaitKnown(ctx, name); err != nil {
		return nil, err
	}
	changes, known := s.config.Source.History(name)
	if !known {
		return nil, errUnknown(name)
	}
	r := &statusv1.HistoryResponse{Changes: make([]*statusv1.Change, len(changes))}
	now := time.Now()
	for i, c := range changes {
		r.Changes[i] = translateChange(c, now)
	}
	return r, nil
}

// bfdSessions returns the BFD sessions by what they follow now: a service, "" for all
// services together, or an unknown name.
func (s *service) bfdSessions() map[target][]*statusv1.BFDSession {
	sessions := make(map[target][]*statusv1.BFDSession)
	for _, b := range s.config.Checkers.BFDSessions() {
		a, _ := s.config.Source.Lookup([]byte(b.Name), registry.AnyAge)
		var to target
		to.service, to.known = a.Service()
		sessions[to] = append(sessions[to], translateBFDSession(b))
	}
	return sessions
}

// target is what a name means.
type target struct {
	service string // "" for all services together
	known   bool
}

// Checkers returns the checkers and BFD sessions of all services together and of
// unknown names. It omits the names that became known since.
func (s *service) Checkers(context.Context, *statusv1.CheckersRequest) (*statusv1.CheckersResponse, error) {
	r := &statusv1.CheckersResponse{All: translateCheckers(s.config.Checkers.ByService(""))}
	sessions := s.bfdSessions()
	r.BfdSessions = append(sessions[target{known: true}], sessions[target{}]...)
	for _, u := range s.config.Checkers.Unknown() {
		if a, _ := s.config.Source.Lookup([]byte(u.Name), 0); a.Status != judge.ServiceUnknown {
			continue
		}
		r.Unknown = append(r.Unknown, &statusv1.UnknownName{
			Name:    strings.ToValidUTF8(u.Name, "\uFFFD"), // recorded as the checker sent it
			Checker: translateChecker(u.Stats),
		})
	}
	return r, nil
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
	if _, err := s.config.Source.Await(ctx, []byte(name), 0); err != nil {
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
