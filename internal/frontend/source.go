package frontend

import (
	"context"
	"time"

	"github.com/landmark-health/landmark/internal/registry"
)

// Source is where answers come from. Its methods may be called by any number of
// goroutines at once.
type Source interface {
	// Look answers from memory, and reports whether that answer is final.
	Look(name []byte, maxAge time.Duration) (a registry.Answer, final bool)
	// Ask waits for the final answer, or returns ctx's error or
	// registry.ErrCrowded.
	Ask(ctx context.Context, name []byte, maxAge time.Duration) (registry.Answer, error)
	// Watch subscribes to the changes of the answer.
	Watch(name []byte) *registry.Subscription
}
