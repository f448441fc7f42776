package kernel

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/registry"
)

// workers is how many processes are read at once. Others wait, as many as the limits
// allow. Of more that fail at the same moment nothing is read: what they did would be over.
const workers = 4

// Server makes evidence of processes. New makes it.
type Server struct {
	failures chan registry.Failure
	limit    limiter
	skipped  atomic.Uint64
}

// New returns a server that makes evidence at each failure that the registry reports. It
// must be called before the first process reports.
func New(r *registry.Registry) *Server {
	s := &Server{failures: make(chan registry.Failure, allBurst)}
	r.OnFailure(s.enqueue)
	return s
}

// enqueue has the process read, unless there are too many. It never blocks.
func (s *Server) enqueue(f registry.Failure) {
	if !s.limit.take(f.UID, time.Now()) {
		s.skipped.Add(1)
		return
	}
	select {
	case s.failures <- f:
	default:
		s.skipped.Add(1)
	}
}

// Skipped returns how many failures got no evidence because too many came at once.
func (s *Server) Skipped() uint64 { return s.skipped.Load() }

// Run makes evidence until ctx is done, and returns nil.
func (s *Server) Run(ctx context.Context) error {
	var group errgroup.Group
	for range workers {
		group.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case f := <-s.failures:
					s.capture(ctx, f)
				}
			}
		})
	}
	return group.Wait()
}

// capture makes the evidence of one failure.
func (s *Server) capture(ctx context.Context, f registry.Failure) {
	e := evidence.Evidence{Source: evidence.Kernel, Landmarks: f.Landmarks}
	p, err := read(ctx, f.Process)
	switch {
	case errors.Is(err, errExited) || ctx.Err() != nil:
		return // that it was lost is the reason
	case err != nil:
		e.Summary = err.Error()
	default:
		e.Summary, e.Text = p.summary(), p.text()
	}
	f.AddEvidence(e)
}
