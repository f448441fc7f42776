package main

import (
	"context"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

const (
	// askPause lies between the beginnings of a client's requests. A connection costs this
	// machine some 15 ms, all in all, and every way has a client.
	askPause = 500 * time.Millisecond

	// askLimit is how long a client waits for its programme, from before it connects. A program that hangs never answers, so
	// patience with a busy machine costs the test nothing but time.
	askLimit = 4 * time.Second
)

// client asks one virtual service for a programme, again and again, and journals what it gets. It speaks the EPG server's
// protocol itself: to start a program for each request would keep the machine's one processor from all else.
type client struct {
	service virtualService
	journal *journal.Writer
}

// run begins a request at every tick until the context ends, and returns nil then. None waits for the one before it: a
// server that hangs keeps no client from asking.
func (c *client) run(ctx context.Context) error {
	return namespace(clientName).enter(func() error {
		tick := time.NewTicker(askPause)
		defer tick.Stop()
		for {
			start := c.journal.Now()
			conn, err := dialEPG(c.service, time.Now().Add(askLimit))
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
	c.journal.Request(journal.Request{Service: c.service.name, Start: start, End: c.journal.Now(), OK: err == nil})
}
