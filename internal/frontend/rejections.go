package frontend

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// Rejections counts what a front end rejects, by reason: a number from 0, which has a name.
// Its methods are safe for concurrent use.
type Rejections[Reason ~int] struct {
	names  []string
	counts []atomic.Uint64
}

// NewRejections returns Rejections for the reasons with these names, in their order.
func NewRejections[Reason ~int](names ...string) Rejections[Reason] {
	return Rejections[Reason]{names: names, counts: make([]atomic.Uint64, len(names))}
}

// Count counts one.
func (r *Rejections[Reason]) Count(reason Reason) { r.counts[reason].Add(1) }

// Add counts n, which may be 0.
func (r *Rejections[Reason]) Add(reason Reason, n int) {
	if n > 0 {
		r.counts[reason].Add(uint64(n))
	}
}

// Counted returns how many were counted.
func (r *Rejections[Reason]) Counted(reason Reason) uint64 { return r.counts[reason].Load() }

// All yields the names of the reasons, and how many were counted.
func (r *Rejections[Reason]) All(yield func(name string, n uint64) bool) {
	for reason, name := range r.names {
		if !yield(name, r.Counted(Reason(reason))) {
			return
		}
	}
}

// Log logs the message with each reason for which there were new ones, once a minute, until
// ctx is done. So an operator can find the cause, and who causes many cannot flood the log.
func (r *Rejections[Reason]) Log(ctx context.Context, logger *slog.Logger, message string) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	logged := make([]uint64, len(r.names))
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for reason, name := range r.names {
			if n := r.Counted(Reason(reason)); n > logged[reason] {
				logger.Warn(message, "why", name, "in_last_minute", n-logged[reason], "total", n)
				logged[reason] = n
			}
		}
	}
}
