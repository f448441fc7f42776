package socket

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/turn"
)

// The delay before the next Accept after an error. It doubles from the minimum to
// the maximum.
const (
	minRetryDelay = 5 * time.Millisecond
	maxRetryDelay = 500 * time.Millisecond
)

// DeadlineListener is a listener whose Accept has a deadline, as those of TCP and of Unix
// sockets have.
type DeadlineListener interface {
	net.Listener
	SetDeadline(time.Time) error
}

// RetryListener is a listener whose Accept retries after errors.
type RetryListener struct {
	listener DeadlineListener
	name     string
	refusals *Refusals
	loop     *turn.Loop
	closed   chan struct{}
	close    func() error
}

// RetryAccept returns a listener whose Accept retries after every error except
// net.ErrClosed, and logs the error to refusals under the listener's name. Most
// errors of accept(2) pass, such as ENOBUFS, ENOMEM, EMFILE or the EPERM of a
// firewall. But Go calls few of them temporary, and gRPC stops its server on the
// others.
func RetryAccept(l DeadlineListener, name string, refusals *Refusals) *RetryListener {
	r := &RetryListener{listener: l, name: name, refusals: refusals, loop: turn.New(), closed: make(chan struct{})}
	r.close = sync.OnceValue(func() error {
		close(r.closed)
		return l.Close()
	})
	return r
}

// Accept implements net.Listener.
func (l *RetryListener) Accept() (net.Conn, error) {
	delay := minRetryDelay
	for {
		conn, err := l.listener.Accept()
		switch {
		case err == nil, errors.Is(err, net.ErrClosed):
			return conn, err
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.loop.Turned(l.listener.SetDeadline)
			continue
		}
		l.refusals.LogFailure(l.name, err)
		if !l.wait(delay) {
			return nil, net.ErrClosed
		}
		delay = min(2*delay, maxRetryDelay)
	}
}

// wait waits before the next attempt. It reports whether the listener is still open.
func (l *RetryListener) wait(delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for {
		select {
		case <-l.closed:
			return false
		case <-timer.C:
			return true
		case <-l.loop.Wanted():
			l.loop.Answer() // that no connection can be accepted at present is not a hang
		}
	}
}

// Turn returns once the loop that accepts connections has turned. It shows that the loop
// works: it is not still busy with the last connection. The error is ctx's, or that the
// listener is closed. Call it only once at a time.
func (l *RetryListener) Turn(ctx context.Context) error {
	return l.loop.Turn(ctx, l.listener.SetDeadline)
}

// Close closes the listener, and ends an Accept that waits.
func (l *RetryListener) Close() error { return l.close() }

// Addr implements net.Listener.
func (l *RetryListener) Addr() net.Addr { return l.listener.Addr() }
