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

const (
	// workers is how many processes are read at once, and maxWaiting how many may wait.
	// Of more that fail at the same moment nothing is read: what they did is over by the
	// time that it would be.
	workers    = 4
	maxWaiting = 64
	// perSecond and burst limit the captures of all processes, because each reads up to
	// a thousand small files.
	perSecond = 10
	burst     = 32
)

// Server makes evidence of processes. New makes it.
type Server struct {
	failures chan registry.Failure
	limit    limit
	skipped  atomic.Uint64
}

// New returns a server that makes evidence at each failure that the registry reports. It
// must be called before the first process reports.
func New(r *registry.Registry) *Server {
	s := &Server{failures: make(chan registry.Failure, maxWaiting)}
	r.OnFailure(s.enqueue)
	return s
}

// enqueue has the process read, unless it cannot be, or too many wait. It never blocks.
func (s *Server) enqueue(f registry.Failure) {
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
	if !s.limit.take(time.Now()) {
		s.skipped.Add(1)
		return
	}
	e := evidence.Evidence{Source: evidence.Kernel, Landmarks: f.Landmarks}
	p, err := read(ctx, f.Process)
	switch {
	case errors.Is(err, errExited) || ctx.Err() != nil:
		return // that it was lost is the reason
	case err != nil:
		e.Summary = err.Error()
	default:
		e.Summary, e.Text = p.summary(!f.Notifies), p.text()
	}
	f.AddEvidence(e)
}
