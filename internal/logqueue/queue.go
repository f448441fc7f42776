// Package logqueue writes a program's log without making the program wait for the
// reader of the log. When a slow reader leaves no room, lines are dropped, and the
// log says how many.
//
// A daemon that judges other programs must not stop because journald, a container
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
	// maxBytes limits the waiting lines. The goroutine that writes may hold as many
	// again.
	maxBytes = 1 << 20
	// overhead is the memory of a waiting line besides its text, in bytes.
	overhead = 64
	// closeTimeout is how long Close waits for the reader.
	closeTimeout = 500 * time.Millisecond
	// retryDelay is the delay before another write to a non-blocking descriptor that
	// had no room.
	retryDelay = 20 * time.Millisecond
)

// A Queue is an io.Writer that never blocks. One goroutine writes the lines to
// another writer, in order. New and Stderr return a Queue.
type Queue struct {
	w     io.Writer
	wake  chan struct{} // ready when there is work or the queue was closed
	ended chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex // guards the fields below; not held while writing to w
	lines   [][]byte
	size    int    // of lines, in bytes
	dropped uint64 // lines that the log does not mention yet
	lost    uint64 // lines that were dropped since the start
	closed  bool
}

// New returns a queue that writes to w. Close ends it.
func New(w io.Writer) *Queue {
	q := &Queue{w: w, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go q.run()
	return q
}

// Stderr returns a queue that writes to standard error, and makes the program ignore
// SIGPIPE. Otherwise Go ends the program at the first write to a standard output or
// error that no one reads any more (os/signal), even if its parent ignores the
// signal.
//
// Stderr does not set O_NONBLOCK, because other processes share the descriptor.
func Stderr() *Queue {
	signal.Ignore(syscall.SIGPIPE)
	return New(os.Stderr)
}

// Write queues one line, or drops it if there is no room. It never blocks or returns
// an error, and is safe for concurrent use.
func (q *Queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if need := len(line) + overhead; q.closed || q.size+need > maxBytes {
		q.dropped++
		q.lost++
	} else {
		q.lines = append(q.lines, bytes.Clone(line))
		q.size += need
	}
	q.signal()
	return len(line), nil
}

// Close waits until all lines are written, for at most half a second. Later lines
// are dropped.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	q.signal()
	q.mu.Unlock()
	timer := time.NewTimer(closeTimeout)
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
		// The dropped lines came after these lines, when there was no more room.
		for _, line := range lines {
			if q.write(line) != nil {
				dropped++
				q.countLost()
			}
		}
		if dropped > 0 && q.write(droppedLine(dropped)) != nil {
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

// drop counts lines that could not be written. The log mentions them once a line can
// be written.
func (q *Queue) drop(n uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropped += n
}

// Dropped returns how many lines were dropped since the start.
func (q *Queue) Dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}

func (q *Queue) countLost() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost++
}

// write writes one line. It retries, because standard error may be non-blocking if
// another process that shares it set O_NONBLOCK.
func (q *Queue) write(line []byte) error {
	for {
		n, err := q.w.Write(line)
		if !errors.Is(err, syscall.EAGAIN) {
			return err
		}
		line = line[n:]
		time.Sleep(retryDelay)
	}
}

// droppedLine returns the line that says how many lines were dropped.
func droppedLine(dropped uint64) []byte {
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Warn("log lines were dropped: the log's reader was too slow or could not take them", "lines", dropped)
	return b.Bytes()
}
