package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

const (
	// askPause lies between a client's requests.
	askPause = 100 * time.Millisecond

	// askLimit is how long a client waits for its programme, from before it connects. A program that hangs never answers, so
	// patience with a busy machine costs the test nothing but time.
	askLimit = 4 * time.Second
)

// client asks one virtual service for a programme, again and again, and journals what it gets. It speaks the EPG server's
// protocol itself: to start a program for each request would keep the machine's one processor from all else.
type client struct {
	service virtualService
	journal *journal.Writer

	got, failed atomic.Int64 // requests that ended with a programme, and without
}

// run asks until the context ends, and returns nil then.
func (c *client) run(ctx context.Context) error {
	return namespace(clientName).enter(func() error {
		for {
			c.ask(ctx)
			select {
			case <-time.After(askPause):
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// ask asks once. That no programme came is no error but an outcome, unless the context's end came before it.
func (c *client) ask(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	start := c.journal.Now()
	err := askProgramme(limited, c.service.addrPort().String())
	if err != nil && ctx.Err() != nil {
		return
	}
	c.record(start, err == nil)
}

// askByProgram asks once by the EPG server's own client program.
func (c *client) askByProgram(epgd string) error {
	start := c.journal.Now()
	p, err := namespace(clientName).start("client-"+c.service.name, nil, epgd, "-ask", c.service.addrPort().String())
	if err != nil {
		return fmt.Errorf("asking %s: %w", c.service.name, err)
	}
	<-p.gone
	c.record(start, p.cmd.ProcessState.Success())
	return nil
}

// record journals and counts a request that has just ended.
func (c *client) record(start time.Duration, ok bool) {
	c.journal.Request(journal.Request{Service: c.service.name, Start: start, End: c.journal.Now(), OK: ok})
	if ok {
		c.got.Add(1)
	} else {
		c.failed.Add(1)
	}
}
