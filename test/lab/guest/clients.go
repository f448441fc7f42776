package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// requestInterval is the interval of a client's requests. A connection costs this machine some 15 ms, and every way has a
// client.
const requestInterval = 500 * time.Millisecond

// client requests programmes through one virtual service, and journals the results. It speaks the EPG server's protocol
// itself, because starting a program for each request would use all of the machine's one processor.
type client struct {
	service virtualService
	journal *journal.Writer
	timeout time.Duration // of a request, from before it connects
	ended   atomic.Int64  // the beginning of the latest request that has ended
	failed  atomic.Int64  // the beginning of the latest request that failed
}

// run begins a request at every tick, until the context ends. It then returns nil. A request does not wait for the one
// before it, which may hang.
func (c *client) run(ctx context.Context) error {
	return namespace(clientName).enter(func() error {
		tick := time.NewTicker(requestInterval)
		defer tick.Stop()
		for {
			start := c.journal.Now()
			conn, err := dialEPG(c.service, time.Now().Add(c.timeout))
			if err != nil {
				return err
			}
			go c.request(ctx, conn, start)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// request sends one request, and journals whether a programme came. It journals nothing if the context ended before.
func (c *client) request(ctx context.Context, conn epgConn, start time.Duration) {
	defer conn.Close()
	err := conn.request()
	if err != nil && ctx.Err() != nil {
		return
	}
	raise(&c.ended, int64(start))
	if err != nil {
		raise(&c.failed, int64(start))
	}
	c.journal.Request(journal.Request{Service: c.service.name, Start: start, End: c.journal.Now(), OK: err == nil})
}

// raise makes v at least n.
func raise(v *atomic.Int64, n int64) {
	for old := v.Load(); old < n && !v.CompareAndSwap(old, n); old = v.Load() {
	}
}
