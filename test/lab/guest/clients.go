package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// askPause lies between the beginnings of a client's requests. A connection costs this
// machine some 15 ms, all in all, and every way has a client.
const askPause = 500 * time.Millisecond

// client asks one virtual service for a programme, again and again, and journals what it gets. It speaks the EPG server's
// protocol itself: to start a program for each request would keep the machine's one processor from all else.
type client struct {
	service virtualService
	journal *journal.Writer
	limit   time.Duration // for how long it waits for its programme, from before it connects
	ended   atomic.Int64  // when the latest request began that has ended
	failed  atomic.Int64  // when the latest request began that failed
}

// run begins a request at every tick until the context ends, and returns nil then. None waits for the one before it: a
// server that hangs keeps no client from asking.
func (c *client) run(ctx context.Context) error {
	return namespace(clientName).enter(func() error {
		tick := time.NewTicker(askPause)
		defer tick.Stop()
		for {
			start := c.journal.Now()
			conn, err := dialEPG(c.service, time.Now().Add(c.limit))
			if err != nil {
				return err
			}
			go c.ask(ctx, conn, start)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// ask asks once. That no programme came is no error but an outcome, unless the context's end came before it.
func (c *client) ask(ctx context.Context, conn epgConn, start time.Duration) {
	defer conn.Close()
	err := conn.ask()
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
