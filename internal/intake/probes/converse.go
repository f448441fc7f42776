package probes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/sleep"
)

// gather is how long more bytes may arrive before a long text is searched again. A
// search takes up to 2 ms (BenchmarkSearch), so a program that sends byte by byte makes
// landmarkd use less than a tenth of a core.
const gather = 25 * time.Millisecond

// ownError is a failure of landmarkd or its host, which says nothing about the program.
type ownError struct{ error }

func (e *ownError) Unwrap() error { return e.error }

// converse connects to the program and takes the steps. The error says why the check
// failed, or is that of a ctx that is done for another reason than errLate.
func (p *prober) converse(ctx context.Context) error {
	conn, err := p.dial(ctx, p.check)
	own := new(ownError)
	switch {
	case context.Cause(ctx) == errLate && err != nil && !errors.As(err, &own):
		return fmt.Errorf("no connection to %s within %s", p.target(), duration.Format(p.check.Within))
	case err != nil:
		return fmt.Errorf("connecting to %s: %w", p.target(), withHint(err))
	}
	defer conn.Close()
	interrupt := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer interrupt()
	c := p.check.Converse()
	for !c.Done() {
		err := p.step(ctx, conn, c)
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return c.Late(p.check.Within)
		default:
			return err
		}
	}
	return nil
}

// step takes one step, or receives once for it.
func (p *prober) step(ctx context.Context, conn net.Conn, c *probe.Conversation) error {
	if b := c.Send(); b != nil {
		if _, err := conn.Write(b); err != nil {
			return p.broken(c, err)
		}
		return c.Sent()
	}
	if c.Lags() {
		sleep.For(ctx, gather)
	}
	n, err := conn.Read(p.buf)
	switch {
	case n > 0 || err == nil: // a datagram may be empty
		return c.Receive(p.buf[:n])
	case errors.Is(err, io.EOF):
		return c.End()
	}
	return p.broken(c, err)
}

// broken returns the error of a connection that has failed.
func (p *prober) broken(c *probe.Conversation, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case p.check.Network == probe.UDP && errors.Is(err, unix.ECONNREFUSED):
		return c.Broken(fmt.Errorf("nothing receives on %s: connection refused", p.target()))
	}
	return c.Broken(withHint(err))
}

// target returns the program's address, for people.
func (p *prober) target() string {
	if p.check.Network == probe.Unix {
		return p.check.Address
	}
	return strings.ToUpper(string(p.check.Network)) + " " + p.check.Address
}

// withHint returns the cause of an error of package net. One that says nothing about
// the program is an ownError, and says what to do.
func withHint(err error) error {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return err
	}
	do := ""
	switch errno {
	case unix.EMFILE, unix.ENFILE:
		do = "allow landmarkd more descriptors (LimitNOFILE= of its unit, ulimit -n)"
	case unix.EAGAIN: // connect(2) of a Unix socket
		return errors.New("its queue of connections is full")
	case unix.EADDRNOTAVAIL:
		do = "the host has no free port for it"
	case unix.EACCES, unix.EPERM:
		do = "allow landmarkd's user to connect"
	case unix.ENETUNREACH, unix.ENOBUFS, unix.ENOMEM, unix.EAFNOSUPPORT:
		do = "see the network and memory of this host"
	default:
		return errno
	}
	return &ownError{fmt.Errorf("%w: %s", errno, do)}
}
