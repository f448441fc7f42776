package socket

import (
	"errors"
	"net"
	"sync"
	"time"
)

// The delay before the next Accept after an error. It doubles from the minimum to
// the maximum.
const (
	minRetryDelay = 5 * time.Millisecond
	maxRetryDelay = 500 * time.Millisecond
)

// retryListener is a listener whose Accept retries after errors.
type retryListener struct {
	net.Listener
	name     string
	refusals *Refusals
	closed   chan struct{}
	close    func() error
}

// RetryAccept returns a listener whose Accept retries after every error but
// net.ErrClosed, and logs the error to refusals under the listener's name. Most
// errors of accept(2) pass, such as ENOBUFS, ENOMEM, EMFILE or the EPERM of a
// firewall. But Go calls few of them temporary, and gRPC stops its server on the
// others.
func RetryAccept(l net.Listener, name string, refusals *Refusals) net.Listener {
	r := &retryListener{Listener: l, name: name, refusals: refusals, closed: make(chan struct{})}
	r.close = sync.OnceValue(func() error {
		close(r.closed)
		return l.Close()
	})
	return r
}

func (l *retryListener) Accept() (net.Conn, error) {
	delay := minRetryDelay
	for {
		conn, err := l.Listener.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return conn, err
		}
		l.refusals.logFailure(l.name, err)
		timer := time.NewTimer(delay)
		select {
		case <-l.closed:
			timer.Stop()
			return nil, net.ErrClosed
		case <-timer.C:
		}
		delay = min(2*delay, maxRetryDelay)
	}
}

// Close closes the listener, and ends an Accept that waits.
func (l *retryListener) Close() error { return l.close() }
