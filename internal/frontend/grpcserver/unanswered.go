package grpcserver

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/registry"
)

// StatusError returns the gRPC error for a call to which the registry gave no
// answer: Unavailable if too many wait, else what ended the call.
func StatusError(err error) error {
	if errors.Is(err, registry.ErrOverloaded) {
		return status.Error(codes.Unavailable, err.Error())
	}
	return status.FromContextError(err).Err()
}
