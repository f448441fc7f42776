package load

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Watchers are open calls of Watch.
type Watchers struct {
	conns   []*grpcConn
	streams int
	updates atomic.Int64 // since the last call of Next
	last    atomic.Int64 // when the latest came, in ns since begun
	began   time.Time
	failed  chan error
}

// Watch opens so many calls of Watch over the connections, and returns when each has had
// its first answer.
func (g GRPC) Watch(streams int) (*Watchers, error) {
	w := &Watchers{streams: streams, began: time.Now(), failed: make(chan error, g.Connections)}
	for i := range g.Connections {
		c, err := g.dial(i, "Watch")
		if err != nil {
			w.Close()
			return nil, err
		}
		w.conns = append(w.conns, c)
		go func() { w.failed <- w.read(c) }()
		for range streams*(i+1)/g.Connections - streams*i/g.Connections {
			c.call()
		}
		if err := c.flush(); err != nil {
			w.Close()
			return nil, err
		}
	}
	if _, err := w.Next(30 * time.Second); err != nil {
		w.Close()
		return nil, fmt.Errorf("opening %d watches: %w", streams, err)
	}
	return w, nil
}

// read reads updates until the connection ends. Only this goroutine reads, and what it
// answers are frames of the connection alone, so it need not wait for the calls to be sent.
func (w *Watchers) read(c *grpcConn) error {
	answers := &grpcConn{Conn: c.Conn, in: c.in}
	for {
		kind, last, err := answers.read()
		if err != nil {
			return err
		}
		if last {
			return fmt.Errorf("the server ended a Watch")
		}
		if kind == frameData {
			w.last.Store(int64(time.Since(w.began)))
			w.updates.Add(1)
		}
		if answers.in.Buffered() == 0 && answers.out.Len() > 0 {
			if err := answers.flush(); err != nil {
				return err
			}
		}
	}
}

// Next waits until every watch has had one update since the last call, and returns when
// the last one had it.
func (w *Watchers) Next(timeout time.Duration) (time.Time, error) {
	deadline := time.Now().Add(timeout)
	for w.updates.Load() < int64(w.streams) {
		select {
		case err := <-w.failed:
			return time.Time{}, err
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return time.Time{}, fmt.Errorf("only %d of %d watches were answered within %v", w.updates.Load(), w.streams, timeout)
		}
	}
	w.updates.Add(-int64(w.streams))
	return w.began.Add(time.Duration(w.last.Load())), nil
}

// Close closes the connections.
func (w *Watchers) Close() {
	for _, c := range w.conns {
		c.Close()
	}
}
