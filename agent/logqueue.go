package agent

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// maxRecords is the maximum number of log records that wait for the program's
// handler. The agent logs one record for each change of its connection.
const maxRecords = 64

// A logQueue passes log records to the program's handler on a goroutine of its
// own. A handler may block, for instance when its log is a pipe that no one reads,
// and that must not stop the reports of a healthy program.
type logQueue struct {
	waiting chan queuedRecord
	dropped *atomic.Uint64 // records for which the queue was full
	ended   chan struct{}  // closed when the queue is closed and empty
}

// A queuedRecord is a record and its handler.
type queuedRecord struct {
	handler slog.Handler
	record  slog.Record
}

func newLogQueue() *logQueue {
	q := &logQueue{waiting: make(chan queuedRecord, maxRecords), dropped: new(atomic.Uint64), ended: make(chan struct{})}
	go q.run()
	return q
}

// handler returns a handler that queues records for h.
func (q *logQueue) handler(h slog.Handler) slog.Handler { return queueHandler{h, q} }

// close ends the queue once it is empty. The caller must not log afterwards.
func (q *logQueue) close() { close(q.waiting) }

func (q *logQueue) run() {
	defer close(q.ended)
	for w := range q.waiting {
		if n := q.dropped.Swap(0); n > 0 {
			w.record.AddAttrs(slog.Uint64("dropped", n))
		}
		_ = w.handler.Handle(context.Background(), w.record) // slog.Logger ignores the error, too
	}
}

// A queueHandler queues records in a logQueue.
type queueHandler struct {
	slog.Handler
	queue *logQueue
}

// Handle implements slog.Handler. It never blocks.
func (h queueHandler) Handle(_ context.Context, r slog.Record) error {
	select {
	case h.queue.waiting <- queuedRecord{h.Handler, r.Clone()}:
	default:
		h.queue.dropped.Add(1)
	}
	return nil
}

func (h queueHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.queue.handler(h.Handler.WithAttrs(attrs))
}

func (h queueHandler) WithGroup(name string) slog.Handler {
	return h.queue.handler(h.Handler.WithGroup(name))
}
