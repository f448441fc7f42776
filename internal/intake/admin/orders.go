package admin

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/peercred"
	"github.com/landmark-health/landmark/internal/registry"
	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
)

// Drain drains a service.
func (s *Server) Drain(ctx context.Context, q *adminv1.DrainRequest) (*adminv1.DrainResponse, error) {
	drain := s.registry.Drain
	if q.GetUntilGone() {
		drain = s.registry.DrainUntilGone
	}
	changed, err := s.apply(ctx, "drained", q.GetService(), drain)
	return &adminv1.DrainResponse{Already: !changed}, err
}

// Resume ends the drain of a service.
func (s *Server) Resume(ctx context.Context, q *adminv1.ResumeRequest) (*adminv1.ResumeResponse, error) {
	changed, err := s.apply(ctx, "resumed", q.GetService(), s.registry.Resume)
	return &adminv1.ResumeResponse{Already: !changed}, err
}

// Forget forgets a service without connected processes.
func (s *Server) Forget(ctx context.Context, q *adminv1.ForgetRequest) (*adminv1.ForgetResponse, error) {
	_, err := s.apply(ctx, "forgotten", q.GetService(), func(name string, operator uint32) (bool, error) {
		return true, s.registry.Forget(name, operator)
	})
	return &adminv1.ForgetResponse{}, err
}

// apply applies an order of the caller to the service, and logs and saves it. done is
// the past participle of the order, for the log.
func (s *Server) apply(ctx context.Context, done, service string, order func(name string, operator uint32) (bool, error)) (changed bool, err error) {
	operator, known := peercred.FromContext(ctx)
	if !known {
		return false, errNoCredentials()
	}
	changed, err = order(service, operator.UID)
	if err != nil {
		return false, statusOf(err)
	}
	if changed {
		s.logLimit.Logger(s.logger, operator.UID, service).Info("service "+done+" by an operator", "service", service, "uid", operator.UID, "pid", operator.PID)
	}
	if err := s.save(ctx); err != nil {
		return changed, status.Errorf(codes.Internal, "%s is %s, but a restart of landmarkd will undo that: %v", service, done, err)
	}
	return changed, nil
}

// statusOf returns the gRPC status for an error of the registry.
func statusOf(err error) error {
	switch {
	case errors.Is(err, registry.ErrUnknown):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, registry.ErrNoInstances), errors.Is(err, registry.ErrConnected):
		return status.Error(codes.FailedPrecondition, err.Error())
	case errors.Is(err, registry.ErrNotOwner):
		return status.Error(codes.PermissionDenied, err.Error())
	default:
		return status.Error(codes.Unknown, err.Error())
	}
}
