package frontend

import (
	"context"
	"time"

	"github.com/landmark-health/landmark/internal/registry"
)

// Source is where answers come from. Its methods may be called by any number of
// goroutines at once.
type Source interface {
	// Lookup answers from memory, and reports whether that answer is final.
	Lookup(name []byte, maxAge time.Duration) (a registry.Answer, final bool)
	// Await waits for the final answer, or returns ctx's error or
	// registry.ErrOverloaded.
	Await(ctx context.Context, name []byte, maxAge time.Duration) (registry.Answer, error)
	// Subscribe subscribes to the changes of the answer.
	Subscribe(name []byte) *registry.Subscription
}
