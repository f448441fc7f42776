package agent

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// maxRecords bounds the log records that wait for the program's handler. The
// agent logs one at each change of its connection.
const maxRecords = 64

// logQueue hands log records to the program's handler on a goroutine of its
// own: a handler that blocks, as one does whose log is a pipe that nothing
// reads, must not stop the reports of a healthy program.
type logQueue struct {
	waiting chan queuedRecord
	dropped *atomic.Uint64 // records that found no room
	ended   chan struct{}  // closed when every record was handed on
}

// queuedRecord is a record and the handler that takes it.
type queuedRecord struct {
	handler slog.Handler
	record  slog.Record
}

func newLogQueue() *logQueue {
	q := &logQueue{waiting: make(chan queuedRecord, maxRecords), dropped: new(atomic.Uint64), ended: make(chan struct{})}
	go q.run()
	return q
}

// handler returns a handler that queues what h is to take.
func (q *logQueue) handler(h slog.Handler) slog.Handler { return queueHandler{h, q} }

// close ends the queue once every record was handed on. Nothing may be logged
// any more.
func (q *logQueue) close() { close(q.waiting) }

func (q *logQueue) run() {
	defer close(q.ended)
	for w := range q.waiting {
		if n := q.dropped.Swap(0); n > 0 {
			w.record.AddAttrs(slog.Uint64("dropped", n))
		}
		_ = w.handler.Handle(context.Background(), w.record) // as slog.Logger does
	}
}

// queueHandler is the handler of a logQueue.
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
