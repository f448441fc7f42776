package sdnotify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/bootfile"
	"github.com/landmark-health/landmark/internal/hostclock"
	"github.com/landmark-health/landmark/internal/rate"
)

const (
	// maxFile is the largest size of the file, in bytes.
	maxFile = 64 << 20
	// minGrowth is by how many bytes the file may grow at least before it is replaced.
	minGrowth = 1 << 20
	// maxRest is the longest rest after a replacement, so that the next one is made in
	// time for the interval.
	maxRest = 500 * time.Millisecond
	// interval is how old the ages in the file may be.
	interval = time.Second
)

// file is the file of what the processes have said. It is replaced each interval by one
// with the present ages of their landmarks. What a process says meanwhile is appended,
// before it is reported: a landmarkd that is killed has answered nothing that the next
// one does not know.
type file struct {
	path    string // "" = there is none
	logger  *slog.Logger
	now     func() uint64 // CLOCK_MONOTONIC in microseconds; tests replace it
	changes chan struct{} // holds a token once the file must be replaced before the interval is over

	mu        sync.Mutex
	processes int       // how many it had when it was replaced; guarded by mu
	appending *os.File  // nil if there is no file; guarded by mu
	replaced  int       // its size when it was replaced; guarded by mu
	size      int       // guarded by mu
	replacing bool      // lines are kept for the next file, too; guarded by mu
	kept      []byte    // these lines; guarded by mu
	failed    bool      // the last write has failed; guarded by mu
	logged    time.Time // when that was last logged; guarded by mu
}

func newFile(path string, logger *slog.Logger) *file {
	return &file{path: path, logger: logger, now: hostclock.Own().Now, changes: make(chan struct{}, 1)}
}

// change has the file replaced soon.
func (f *file) change() {
	select {
	case f.changes <- struct{}{}:
	default: // there is a token already
	}
}

// run replaces the file each interval while it has processes, when it has grown, and again
// after each error, until ctx is done. A landmarkd that is killed must not make the time
// in which it received nothing a time in which none ran.
func (f *file) run(ctx context.Context, processes func() []savedProcess) error {
	for {
		var due <-chan time.Time
		if after := f.due(); after > 0 {
			due = time.After(after)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.changes:
		case <-due:
		}
		start := time.Now()
		f.save(processes)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(rate.RestAfter(time.Since(start)), maxRest)):
		}
	}
}

// save replaces the file.
func (f *file) save(processes func() []savedProcess) {
	if f.path == "" {
		return
	}
	f.mu.Lock()
	f.replacing, f.kept = true, nil
	f.mu.Unlock()
	all := processes() // may append: f.mu is not held
	contents, err := encode(all)

	f.mu.Lock()
	defer f.mu.Unlock()
	f.processes = len(all)
	contents = append(contents, f.kept...)
	f.replacing, f.kept = false, nil
	if err == nil {
		err = f.replace(contents)
	}
	if err != nil {
		f.giveUp(err)
		return
	}
	f.failed = false
}

// replace replaces the file, and opens it for append. The caller holds mu.
func (f *file) replace(contents []byte) error {
	if err := bootfile.Replace(f.path, contents, maxFile); err != nil {
		return err
	}
	f.close()
	var err error
	f.appending, err = bootfile.OpenAppend(f.path)
	f.replaced, f.size = len(contents), len(contents)
	return err
}

// append appends a line. While there is no file it does nothing.
func (f *file) append(line []byte) {
	if f.path == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.replacing {
		f.kept = append(f.kept, line...)
	}
	if f.appending == nil {
		f.change()
		return
	}
	f.size += len(line)
	if f.processes == 0 || f.size-f.replaced > max(f.replaced, minGrowth) {
		f.change()
	}
	_, err := f.appending.Write(line)
	if err == nil && f.size > maxFile {
		err = fmt.Errorf("it would have %d bytes: at most %d are allowed", f.size, maxFile)
	}
	if err != nil {
		f.giveUp(err)
		f.change()
	}
}

// giveUp discards the file after an error: what it says may not be true any more. The
// caller holds mu.
func (f *file) giveUp(err error) {
	f.close()
	err = errors.Join(err, bootfile.Discard(f.path))
	if !f.failed && time.Since(f.logged) >= logInterval { // not as often as a full file system has room again
		f.logged = time.Now()
		f.logger.Warn("what programs said by notifications cannot be written: a restart would lose it, and they would have to be restarted", "file", f.path, "why", err)
	}
	f.failed = true
}

// close closes the file. The caller holds mu.
func (f *file) close() {
	if f.appending != nil {
		f.appending.Close()
		f.appending = nil
	}
}

// due returns after how long the file must be replaced, 0 if only after a change.
func (f *file) due() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.failed:
		return maxRest
	case f.processes > 0:
		return interval
	}
	return 0
}

// finish replaces the file for the last time.
func (f *file) finish(processes func() []savedProcess) {
	f.save(processes)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.close()
}

// read returns the processes of the landmarkd before this one. A file that is ignored is
// logged, with the reason.
func (f *file) read() []savedProcess {
	if f.path == "" {
		return nil
	}
	processes, err := f.tryRead()
	if err != nil && !errors.Is(err, bootfile.ErrMissing) {
		f.logger.Warn("the file of notifications is ignored: programs that reported by them must be restarted", "file", f.path, "why", err)
	}
	return processes
}

func (f *file) tryRead() ([]savedProcess, error) {
	boot, err := bootfile.ThisBoot()
	if err != nil {
		return nil, err
	}
	b, err := bootfile.Read(f.path, maxFile)
	if err != nil {
		return nil, err
	}
	return decode(b, boot)
}

// since returns how long ago the process was written.
func (f *file) since(p *savedProcess) time.Duration {
	if now := f.now(); now > p.At {
		return time.Duration(now-p.At) * time.Microsecond
	}
	return 0
}
