package kernel

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/registry"
)

// workers is how many processes are read at once. Others wait, as many as the limits
// allow. Of more that fail at the same moment nothing is read: what they did would be over.
const workers = 4

const (
	// readTimeout is how long a process is read at most, which is much longer than it takes
	// on a busy machine. Reading /proc can hang as the process does, in a lock of the
	// kernel, and nothing ends such a read: it is abandoned.
	readTimeout = 3 * time.Second
	// stopTimeout is how long Run waits for reads at its end.
	stopTimeout = 500 * time.Millisecond
	// maxHung is how many abandoned reads there may be, as each holds a thread of landmarkd.
	// Beyond that no more processes are read until some of the reads have ended.
	maxHung = 32
	// maxUser is how many processes of one user are read at once, with the abandoned reads:
	// so that the user's other failures wait, and no other user's. Once so many are abandoned
	// no more of that user are read until one has ended.
	maxUser = 2
)

// errHung is shown to people.
var errHung = errors.New("unknown: the kernel does not say what the process does, as reading it hangs, too; look for a disk, a network file system or a driver that does not answer")

// logInterval is how often it is logged at most that processes were not read.
const logInterval = time.Minute

// Config configures a Server.
type Config struct {
	Registry *registry.Registry
	Logger   *slog.Logger
}

// Server makes evidence of processes. New makes it.
type Server struct {
	logger   *slog.Logger
	failures chan registry.Failure
	limit    *limiter
	read     func(context.Context, evidence.Process) (*process, error)
	reads    reads
	skipped  atomic.Int64 // since it was last logged
	loggedAt atomic.Int64 // of the machine's time, in nanoseconds
}

// New returns a server that makes evidence at each failure that the registry reports. It
// must be called before the first process reports.
func New(c Config) *Server {
	s := &Server{logger: c.Logger, failures: make(chan registry.Failure, allBurst), limit: newLimiter(), read: read}
	c.Registry.OnFailure(s.enqueue)
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

// Run makes evidence until ctx is done, and returns nil. It does not wait for reads that
// hang.
func (s *Server) Run(ctx context.Context) error {
	var group errgroup.Group
	for range workers {
		group.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case f := <-s.failures:
					for more := true; more && ctx.Err() == nil; f, more = s.reads.next(f.UID) {
						s.capture(ctx, f)
					}
					s.logSkipped(time.Now())
				}
			}
		})
	}
	return group.Wait()
}

// capture makes the evidence of one failure, unless it must wait.
func (s *Server) capture(ctx context.Context, f registry.Failure) {
	started, skipped := s.reads.start(f)
	if skipped {
		s.skipped.Add(1)
	}
	if started == nil {
		return
	}
	e := evidence.Evidence{Source: evidence.Kernel, Landmarks: f.Landmarks}
	p, err := s.readInTime(ctx, f, started)
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

// readInTime reads the process, or abandons the read if it hangs.
func (s *Server) readInTime(ctx context.Context, f registry.Failure, started *oneRead) (*process, error) {
	type answer struct {
		process *process
		err     error
	}
	read := make(chan answer, 1)
	go func() {
		p, err := s.read(ctx, f.Process)
		started.end() // first, so that the worker sees it
		read <- answer{p, err}
	}()
	late := time.NewTimer(readTimeout)
	defer late.Stop()
	select {
	case a := <-read:
		return a.process, a.err
	case <-late.C:
		started.abandon()
		return nil, errHung
	case <-ctx.Done():
	}
	stop := time.NewTimer(stopTimeout)
	defer stop.Stop()
	select {
	case <-read:
	case <-stop.C:
	}
	return nil, ctx.Err()
}

// logSkipped logs, at most once in logInterval, how many processes were not read.
func (s *Server) logSkipped(now time.Time) {
	last := s.loggedAt.Load()
	if now.UnixNano()-last < int64(logInterval) || s.skipped.Load() == 0 || !s.loggedAt.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	s.logger.Warn("too many processes hang at once, or hang in the kernel, so there is no evidence of some by the kernel", "processes", s.skipped.Swap(0))
}
