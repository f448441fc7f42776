package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
)

const (
	// retryDelay is the time after a failure until the next attempt to write.
	retryDelay = 5 * time.Second
	// maxBatch is how many bytes are written at once.
	maxBatch = 64 << 10
	// writeRest is the ratio of the rest after a batch to its writing, if more wait: so a
	// flood of lines takes a third of a core, and the answers have the others. maxRest
	// limits it.
	writeRest, maxRest = 2, 10 * time.Millisecond
)

// Run writes the lines until ctx is done. Then it takes no more lines, writes those that
// wait, for at most half a second, and returns nil. Run may be called once.
func (j *Journal) Run(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w := writer{ctx: ctx, journal: j, disk: disk{dir: j.config.Dir, keep: j.limits.keep}}
		w.run()
	}()
	<-ctx.Done()
	j.mu.Lock()
	j.ending = true
	j.mu.Unlock()
	signal(j.wake)
	late := time.NewTimer(closeTimeout)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
		j.config.Logger.Warn("the journal's last lines may be missing: its disk does not answer", "dir", j.config.Dir)
	}
	return nil
}

// take takes the waiting lines, and reports whether no more will come.
func (j *Journal) take() (lines []Line, last bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines, j.queue, j.queued = j.queue, nil, 0
	return lines, j.ending
}

// wrote counts lines that were written, and those that were lost because they could not be.
func (j *Journal) wrote(lines, bytes, lost int, failing bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stats.Written += uint64(lines)
	j.stats.Bytes += uint64(bytes)
	j.stats.Dropped += uint64(lost)
	j.stats.Failing = failing
	j.gap = j.gap || failing && lost > 0
	if j.gap && !failing {
		j.gap = false
		j.begin()
	}
}

// begin begins an epoch.
func (j *Journal) begin() {
	j.epoch.Add(1)
	signal(j.needFull)
}

// writer writes the lines of a journal. It is one goroutine's.
type writer struct {
	ctx      context.Context // done when the journal ends
	journal  *Journal
	disk     disk
	recalled bool      // earlier runs' entries were read
	failed   bool      // the last attempt failed, and the log says so
	retryAt  time.Time // no attempt before
	lost     uint64    // lines since the log said so
}

// run writes until the journal ends.
func (w *writer) run() {
	defer w.disk.close()
	for {
		lines, last := w.journal.take()
		for len(lines) > 0 {
			n := w.batch(lines)
			began := time.Now()
			w.write(lines[:n], last)
			if lines = lines[n:]; len(lines) > 0 && !last {
				w.rest(time.Since(began))
			}
		}
		if last {
			return
		}
		w.await()
	}
}

// rest rests after writing for the time, unless so many lines wait that some might be lost.
func (w *writer) rest(took time.Duration) {
	if !w.journal.HalfFull() {
		sleep.For(w.ctx, min(writeRest*took, maxRest))
	}
}

// await waits for lines, and after a failure until the next attempt.
func (w *writer) await() {
	<-w.journal.wake
	if wait := time.Until(w.retryAt); w.failed && wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-w.ctx.Done():
		case <-timer.C:
		}
	}
}

// batch returns how many of the lines are written at once: at least one.
func (w *writer) batch(lines []Line) int {
	size := 0
	for i := range lines {
		if size += lines[i].Size(); size > maxBatch {
			return max(i, 1)
		}
	}
	return len(lines)
}

// write writes the lines, or counts them as lost.
func (w *writer) write(lines []Line, last bool) {
	if w.failed && !last && time.Now().Before(w.retryAt) {
		w.lose(len(lines))
		return
	}
	b := encode(lines)
	if before := w.journal.beforeDisk; before != nil {
		before()
	}
	if err := w.prepare(int64(len(b)), lines[0].Seq); err != nil {
		w.fail(err)
		w.lose(len(lines))
		return
	}
	n, err := w.disk.append(b)
	written := bytes.Count(b[:n], []byte("\n"))
	lost := len(lines) - written
	if err != nil {
		w.fail(err)
		w.lost += uint64(lost)
	} else {
		w.succeed()
	}
	w.journal.wrote(written, n, lost, err != nil)
}

// prepare begins a file for n bytes of lines if there is none that has room, or it is not
// there any more. A new file takes the lines even if they alone exceed the limit.
func (w *writer) prepare(n int64, seq uint64) error {
	if w.disk.usable(n, w.journal.limits.file) {
		return nil
	}
	if !w.recalled {
		names, err := files(w.disk.dir)
		if err == nil || os.IsNotExist(err) {
			w.recalled = true
			go w.journal.recall(w.ctx, names)
		}
	}
	header := encode([]Line{{
		Type: TypeJournal, Time: time.Now(), Seq: seq,
		Journal: &Header{Format: Format, Run: w.journal.run, Landmarkd: w.journal.config.Version},
	}})
	if err := w.disk.begin(header); err != nil {
		return err
	}
	w.journal.begin()
	return nil
}

func (w *writer) lose(n int) {
	w.lost += uint64(n)
	w.journal.wrote(0, 0, n, true)
}

// fail logs the first failure of a series, and sets when to try again.
func (w *writer) fail(err error) {
	w.retryAt = time.Now().Add(retryDelay)
	if !w.failed {
		w.failed = true
		w.journal.config.Logger.Warn("the journal cannot be written, and loses what happens: free space, or correct -journal",
			"dir", w.disk.dir, "why", err)
	}
}

func (w *writer) succeed() {
	if w.failed {
		w.journal.config.Logger.Info("the journal is written again", "dir", w.disk.dir, "lost_lines", w.lost)
		w.failed, w.lost = false, 0
	}
}

// encode returns the lines as they are in the file. A line that cannot be encoded is left
// out.
func encode(lines []Line) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i := range lines {
		_ = e.Encode(&lines[i]) // it writes all or nothing
	}
	return b.Bytes()
}
