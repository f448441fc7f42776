// Package logqueue writes a program's log without ever making the program wait
// for the reader of the log. What a slow reader leaves no room for is dropped
// and counted, and the log says how many lines that were.
//
// A daemon that judges others must not stop because journald, a container
// runtime or the other end of a pipe has stopped.
package logqueue

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	// maxBytes bounds the lines that wait. As many again may be in the hands of
	// the goroutine that writes.
	maxBytes = 1 << 20
	// overhead is what a waiting line takes besides its text, in bytes.
	overhead = 64
	// closeWithin bounds how long Close waits for the reader.
	closeWithin = 500 * time.Millisecond
	// retryAfter is the pause before a write is repeated for which a
	// non-blocking descriptor had no room.
	retryAfter = 20 * time.Millisecond
)

// Queue is an io.Writer that never blocks. One goroutine writes the lines to
// the writer below, in their order. A Queue is made by New or Stderr.
type Queue struct {
	w     io.Writer
	wake  chan struct{} // holds that there is work, or that the queue was closed
	ended chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex // guards what follows; it is never held while w is written to
	lines   [][]byte
	size    int    // of lines, in bytes
	dropped uint64 // lines that the log does not yet say are missing
	closed  bool
}

// New returns a queue in front of w. Close ends it.
func New(w io.Writer) *Queue {
	q := &Queue{w: w, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go q.run()
	return q
}

// Stderr returns a queue in front of standard error, and makes the program
// ignore SIGPIPE: Go would end it at the first write to a standard output or
// error whose reader is gone (os/signal), even if its parent ignores the signal.
//
// The descriptor stays as it was inherited. It is shared with other processes,
// so O_NONBLOCK must not be set on it.
func Stderr() *Queue {
	signal.Ignore(syscall.SIGPIPE)
	return New(os.Stderr)
}

// Write takes one line, or drops it if there is no room. It never blocks,
// returns no error, and may be called by any number of goroutines.
func (q *Queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if need := len(line) + overhead; q.closed || q.size+need > maxBytes {
		q.dropped++
	} else {
		q.lines = append(q.lines, bytes.Clone(line))
		q.size += need
	}
	q.signal()
	return len(line), nil
}

// Close waits until all lines are written, but not longer than half a second
// for a reader that does not read. Lines that come later are dropped.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	q.signal()
	q.mu.Unlock()
	timer := time.NewTimer(closeWithin)
	defer timer.Stop()
	select {
	case <-q.ended:
	case <-timer.C:
	}
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run writes until the queue is closed and empty.
func (q *Queue) run() {
	defer close(q.ended)
	for range q.wake {
		lines, dropped, closed := q.take()
		// The dropped lines came after these, when there was no room for more.
		for _, line := range lines {
			if q.write(line) != nil {
				dropped++
			}
		}
		if dropped > 0 && q.write(note(dropped)) != nil {
			q.drop(dropped)
		}
		if closed {
			return
		}
	}
}

func (q *Queue) take() (lines [][]byte, dropped uint64, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, dropped = q.lines, q.dropped
	q.lines, q.size, q.dropped = nil, 0, 0
	return lines, dropped, q.closed
}

// drop counts lines that could not be written. The log says so once a line can
// be written again.
func (q *Queue) drop(n uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropped += n
}

// write writes one line. Standard error may be non-blocking, because another
// process that shares it made it so.
func (q *Queue) write(line []byte) error {
	for {
		n, err := q.w.Write(line)
		if !errors.Is(err, syscall.EAGAIN) {
			return err
		}
		line = line[n:]
		time.Sleep(retryAfter)
	}
}

// note is the line that says how many others are missing.
func note(dropped uint64) []byte {
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Warn("log lines were dropped: the log's reader was too slow or could not take them", "lines", dropped)
	return b.Bytes()
}
