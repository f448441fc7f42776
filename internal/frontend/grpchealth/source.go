package grpchealth

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/registry"
)

// Source is what the front end reads. Its methods may be called by any number
// of goroutines at once.
type Source interface {
	// Ask answers once it is settled, or returns ctx's error or
	// registry.ErrCrowded.
	Ask(ctx context.Context, name []byte, maxAge time.Duration) (registry.Answer, error)
	// Watch subscribes to the changes of what is told of the name.
	Watch(name []byte) *registry.Subscription
	// Names returns the names of the services that were reported, sorted.
	Names() []string
}

// noAnswer is what the checker is told to whom Ask returned an error.
func noAnswer(err error) error {
	if errors.Is(err, registry.ErrCrowded) {
		return status.Error(codes.Unavailable, err.Error())
	}
	return status.FromContextError(err).Err()
}
