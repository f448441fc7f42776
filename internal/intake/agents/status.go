package agents

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/registry"
)

// invalid returns the error for a message in which a field breaks a rule.
func invalid(field, format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, "%s: %s", field, fmt.Sprintf(format, args...))
}

// statusOf returns the gRPC status for an error of the registry. An error that is a
// status already is returned as it is.
func statusOf(err error) error {
	switch _, already := status.FromError(err); {
	case already:
		return err
	case errors.Is(err, registry.ErrNotOwner):
		return status.Errorf(codes.PermissionDenied, "hello.service: %v", err)
	case errors.Is(err, registry.ErrReplaced):
		return status.Errorf(codes.Aborted, "hello.instance: %v", err)
	case errors.Is(err, registry.ErrLimit):
		return status.Errorf(codes.ResourceExhausted, "hello.service: %v", err)
	default:
		return status.Error(codes.Unavailable, err.Error())
	}
}

// isRefusal reports whether err, which is a status, means that the sidecar rejects
// what the program sent.
func isRefusal(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.ResourceExhausted:
		return true
	default:
		return false
	}
}

// reason returns the text of err without gRPC's prefix.
func reason(err error) string { return status.Convert(err).Message() }
