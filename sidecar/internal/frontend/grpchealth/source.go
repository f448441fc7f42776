package grpchealth

import (
	"context"
	"time"

	"github.com/landmark-health/landmark/sidecar/internal/registry"
)

// Source is what the front end reads. Its methods may be called by any number
// of goroutines at once.
type Source interface {
	// Look answers from memory, and says whether that settles the question.
	Look(name []byte, maxAge time.Duration) (a registry.Answer, settled bool)
	// Ask answers once it is settled, or returns ctx's error.
	Ask(ctx context.Context, name []byte, maxAge time.Duration) (registry.Answer, error)
	// Watch subscribes to the changes of what is told of the name.
	Watch(name []byte) *registry.Subscription
	// Names returns the names of the services that were reported, sorted.
	Names() []string
}
