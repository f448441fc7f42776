package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// askPause lies between a client's requests: a client costs a process each time, and the machine has one processor.
const askPause = 100 * time.Millisecond

// client asks one virtual service for a programme, again and again, and journals what it gets.
type client struct {
	service virtualService
	epgd    string // the program that asks, by its -ask
	journal *journal.Writer

	got, failed atomic.Int64 // requests that ended with a programme, and without
}

// run asks until the context ends, and returns nil then.
func (c *client) run(ctx context.Context) error {
	for {
		if err := c.ask(); err != nil {
			return fmt.Errorf("asking %s: %w", c.service.name, err)
		}
		select {
		case <-time.After(askPause):
		case <-ctx.Done():
			return nil
		}
	}
}

// ask asks once. That no programme came is no error but an outcome.
func (c *client) ask() error {
	start := c.journal.Now()
	p, err := namespace(clientName).start("client-"+c.service.name, nil, c.epgd, "-ask", c.service.addrPort().String())
	if err != nil {
		return err
	}
	<-p.gone
	ok := p.cmd.ProcessState.Success()
	c.journal.Request(journal.Request{Service: c.service.name, Start: start, End: c.journal.Now(), OK: ok})
	if ok {
		c.got.Add(1)
	} else {
		c.failed.Add(1)
	}
	return nil
}
