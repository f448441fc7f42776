package members

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/landmark-health/landmark/internal/bootfile"
	"github.com/landmark-health/landmark/internal/rate"
	"github.com/landmark-health/landmark/internal/registry"
)

const (
	// maxRest is the longest rest after a write: a landmarkd that is killed loses the
	// changes of that time.
	maxRest = time.Second
	// retryAfter is the time until a failed write is repeated, and logEvery how
	// often the failure is logged.
	retryAfter = time.Second
	logEvery   = time.Minute
)

// errStopping is returned by Sync after the last write.
var errStopping = errors.New("landmarkd is stopping")

// Source provides the memberships to write.
type Source interface {
	Memberships() (all []registry.Membership, complete bool)
	// MembersChanged receives after Memberships may have changed.
	MembersChanged() <-chan struct{}
}

// File writes the memberships of a source to a file.
type File struct {
	path   string
	logger *slog.Logger
	write  func(path string, all []registry.Membership, complete bool) error // tests replace it
	syncs  chan chan error                                                   // has an item for each call of Sync
	done   chan struct{}                                                     // closed when Run returns
}

// New returns the File with that path.
func New(path string, logger *slog.Logger) *File {
	return &File{path: path, logger: logger, write: write, syncs: make(chan chan error), done: make(chan struct{})}
}

// Read returns the contents of the file, and whether it has all processes. A missing
// file is not logged. A file that is ignored is logged, with the reason.
func (f *File) Read() (all []registry.Membership, complete bool) {
	all, complete, err := read(f.path)
	switch {
	case err == nil:
		return all, complete
	case !errors.Is(err, bootfile.ErrMissing):
		f.logger.Warn("the members file is ignored: landmarkd does not wait for earlier processes, and drains are lost", "file", f.path, "why", err)
	}
	return nil, false
}

// Run writes the file after each change, until ctx is done, and then once more. It
// may be called once.
func (f *File) Run(ctx context.Context, source Source) {
	defer close(f.done)
	var rest, retry <-chan time.Time
	var logged time.Time
	for {
		var waiting []chan error
		changed := source.MembersChanged()
		if rest != nil {
			changed = nil // collect changes during the rest; an operator's Sync does not wait
		}
		select {
		case <-changed:
		case <-rest:
			rest = nil
			continue
		case <-retry:
		case done := <-f.syncs:
			waiting = append(waiting, done)
		case <-ctx.Done():
			if err := f.save(source); err != nil {
				f.logger.Warn("the members file cannot be written", "file", f.path, "why", err)
			}
			return
		}
		start := time.Now()
		err := f.save(source)
		for _, done := range waiting {
			done <- err
		}
		retry = nil
		if err != nil {
			retry = time.After(retryAfter)
			if logged.IsZero() || time.Since(logged) >= logEvery {
				logged = time.Now()
				f.logger.Warn("the members file cannot be written: a restart loses the changes", "file", f.path, "why", err)
			}
		}
		rest = time.After(min(rate.RestAfter(time.Since(start)), maxRest))
	}
}

func (f *File) save(source Source) error {
	all, complete := source.Memberships()
	return f.write(f.path, all, complete)
}

// Sync returns after all changes so far are in the file, or returns an error.
func (f *File) Sync(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case f.syncs <- done:
	case <-f.done:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("writing %s: %w", f.path, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Wait waits until Run has returned.
func (f *File) Wait() { <-f.done }
