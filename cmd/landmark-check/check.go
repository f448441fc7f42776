package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// check is one run of the program.
type check struct {
	mode    mode
	request probe.Request // its kind is the mode's
	timeout time.Duration // from start to exit
	version bool
}

// run sends the request, prints the answer, and returns the exit code.
func (c check) run(deadline time.Time) int {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	c.request.Kind = c.mode.kind
	answer, err := probe.Do(ctx, c.request)
	if err != nil {
		err = fmt.Errorf("%w; %s", err, advice(c.request, err))
	}
	code := c.mode.code(answer, err)
	write(os.Stdout, c.mode.line(c.request.Service, answer, err)+"\n", code, deadline)
	return code
}

// advice returns what to do about an error of the request.
func advice(r probe.Request, err error) string {
	host, port, _ := net.SplitHostPort(r.Address)
	switch lookup := (*net.DNSError)(nil); {
	case errors.As(err, &lookup):
		return "check the name in -addr"
	case errors.Is(err, probe.ErrRejected):
		return fmt.Sprintf("is port %s landmarkd's -monitor, and -key-file one of its -monitor-keys?", port)
	case errors.Is(err, lmp.ErrUnauthenticated):
		return "is -key-file one of landmarkd's -monitor-keys?"
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("is landmarkd running on %s, with its -monitor at port %s?", host, port)
	case r.Key == nil:
		return fmt.Sprintf("is landmarkd running on %s, without -monitor-keys, and does the network let port %s through?", host, port)
	}
	return fmt.Sprintf("is landmarkd running on %s, and does the network let port %s through?", host, port)
}

// minWriteTime is how long a write may take that begins at the deadline. It takes
// microseconds if anyone reads.
const minWriteTime = 20 * time.Millisecond

// write writes the text. If that takes longer than the deadline, as with a full pipe that
// no one reads, the program exits with the code, which matters more than the text.
func write(w io.Writer, text string, code int, deadline time.Time) {
	defer time.AfterFunc(max(time.Until(deadline), minWriteTime), func() { os.Exit(code) }).Stop()
	io.WriteString(w, text)
}
