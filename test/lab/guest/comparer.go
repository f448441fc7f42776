package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

const (
	// compareInterval is the interval of a comparer's checks.
	compareInterval = 250 * time.Millisecond

	// compareTimeout is how long a comparer waits for an answer. A sidecar that has just started may hold it for a second.
	compareTimeout = 3 * time.Second
)

// comparer checks one real server as Seesaw's engine does: it sends bytes, reads as many as it expects, and compares them.
// The rest of a datagram is lost. It stands for every checker that can only compare bytes.
type comparer struct {
	network string // "udp4" or "tcp4"
	service virtualService
	server  string // the real server's address

	in     bool
	failed time.Time // when the first check in a row of failures began; zero if the last check passed
}

// compares starts comparers, which check the real servers and change the director's table with ipvsadm(8).
func compares(network string) starter {
	return func(l *lab, v virtualService) error {
		if _, err := ipvsadm("-A", "-t", v.addrPort().String(), "-s", "rr"); err != nil {
			return err
		}
		for _, s := range l.servers() {
			c := &comparer{network: network, service: v, server: s.address}
			if err := c.edit("-a", 0); err != nil {
				return err
			}
			l.background(func(ctx context.Context) error {
				return l.director.enter(func() error { return c.run(ctx) })
			})
		}
		return nil
	}
}

// run checks until the context ends. It then returns nil.
func (c *comparer) run(ctx context.Context) error {
	for {
		if err := c.check(); err != nil {
			return err
		}
		select {
		case <-time.After(compareInterval):
		case <-ctx.Done():
			return nil
		}
	}
}

// check checks once. The first check that passes puts the server in. A check that fails takes it out if it began
// journal.Timeout after the first failure: a restart of the sidecar may take that long.
func (c *comparer) check() error {
	now := time.Now()
	switch passed := c.compare() == nil; {
	case passed && c.in:
		c.failed = time.Time{}
		return nil
	case passed:
		c.in, c.failed = true, time.Time{}
		return c.edit("-e", 1)
	case c.failed.IsZero():
		c.failed = now
		return nil
	case c.in && now.Sub(c.failed) >= journal.Timeout:
		c.in = false
		return c.edit("-e", 0)
	}
	return nil
}

// compare sends one request and compares the answer.
func (c *comparer) compare() error {
	conn, err := net.DialTimeout(c.network, net.JoinHostPort(c.server, lmpPort), compareTimeout)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(compareTimeout))
	if _, err := conn.Write(unhex(lmpCheck)); err != nil {
		return err
	}
	expected := unhex(lmpServing)
	got := make([]byte, len(expected))
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if !bytes.Equal(got, expected) {
		return fmt.Errorf("got % x", got)
	}
	return nil
}

// edit sets the server's weight in the table.
func (c *comparer) edit(how string, weight int) error {
	_, err := ipvsadm(how, "-t", c.service.addrPort().String(), "-r", fmt.Sprintf("%s:%d", c.server, epgPort), "-m", "-w", fmt.Sprint(weight))
	return err
}
