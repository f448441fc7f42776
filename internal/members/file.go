package members

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/landmark-health/landmark/internal/registry"
)

const (
	// pauses is how many times as long as a write took the next one waits, so
	// that writing takes a tenth of a core however often processes come and go.
	pauses = 9
	// maxPause is the longest such wait.
	maxPause = time.Second
	// retryAfter is how soon a write that failed is tried again, and logEvery
	// how often that is logged.
	retryAfter = time.Second
	logEvery   = time.Minute
)

// errEnded is returned by Sync once no more is written.
var errEnded = errors.New("landmarkd is stopping")

// Source is what is kept.
type Source interface {
	Memberships() (all []registry.Membership, complete bool)
	// MembersChanged receives once Memberships may have changed.
	MembersChanged() <-chan struct{}
}

// File keeps the source's memberships in a file.
type File struct {
	path   string
	logger *slog.Logger
	write  func(path string, all []registry.Membership, complete bool) error // replaced by tests
	syncs  chan chan error                                                   // one from each Sync
	ended  chan struct{}                                                     // closed when Run returns
}

// New returns the keeper of the file at the path.
func New(path string, logger *slog.Logger) *File {
	return &File{path: path, logger: logger, write: write, syncs: make(chan chan error), ended: make(chan struct{})}
}

// Read returns what the file holds, and whether no process can be missing there.
// A file that is missing is not logged; one that is ignored is, with the reason.
func (f *File) Read() (all []registry.Membership, complete bool) {
	all, complete, err := read(f.path)
	switch {
	case err == nil:
		return all, complete
	case !errors.Is(err, errMissing):
		f.logger.Warn("the members file is ignored: the processes of before are not waited for, and drains are forgotten", "file", f.path, "why", err)
	}
	return nil, false
}

// Run writes the file whenever the memberships have changed, until ctx is done,
// and then once more. It may be called once.
func (f *File) Run(ctx context.Context, source Source) {
	defer close(f.ended)
	var rest, retry <-chan time.Time
	var logged time.Time
	for {
		var waiting []chan error
		changed := source.MembersChanged()
		if rest != nil {
			changed = nil // what changes now is written together; an operator does not wait
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
		begun := time.Now()
		err := f.save(source)
		for _, done := range waiting {
			done <- err
		}
		retry = nil
		if err != nil {
			retry = time.After(retryAfter)
			if logged.IsZero() || time.Since(logged) >= logEvery {
				logged = time.Now()
				f.logger.Warn("the members file cannot be written: a restart forgets what has changed", "file", f.path, "why", err)
			}
		}
		rest = time.After(min(pauses*time.Since(begun), maxPause))
	}
}

func (f *File) save(source Source) error {
	all, complete := source.Memberships()
	return f.write(f.path, all, complete)
}

// Sync returns once what has changed until now is in the file, or why it is
// not.
func (f *File) Sync(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case f.syncs <- done:
	case <-f.ended:
		return errEnded
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

// Wait returns once Run has.
func (f *File) Wait() { <-f.ended }
