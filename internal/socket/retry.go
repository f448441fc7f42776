package socket

import (
	"errors"
	"net"
	"sync"
	"time"
)

// How long a listener that cannot accept waits before it tries again: doubling,
// so that it neither spins nor stays away.
const (
	minRetryDelay = 5 * time.Millisecond
	maxRetryDelay = 500 * time.Millisecond
)

// retryListener is a listener that no failure to accept ends.
type retryListener struct {
	net.Listener
	name     string
	refusals *Refusals
	closed   chan struct{}
	close    func() error
}

// RetryAccept returns a listener whose Accept tries again after every error but
// net.ErrClosed. Most errors of accept(2) pass, such as ENOBUFS, ENOMEM, EMFILE
// or the EPERM of a firewall, but Go calls few of them temporary, and gRPC ends
// its server for the others. The name is the listener's in the log.
func RetryAccept(l net.Listener, name string, refusals *Refusals) net.Listener {
	p := &retryListener{Listener: l, name: name, refusals: refusals, closed: make(chan struct{})}
	p.close = sync.OnceValue(func() error {
		close(p.closed)
		return l.Close()
	})
	return p
}

func (p *retryListener) Accept() (net.Conn, error) {
	pause := minRetryDelay
	for {
		conn, err := p.Listener.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return conn, err
		}
		p.refusals.logFailure(p.name, err)
		timer := time.NewTimer(pause)
		select {
		case <-p.closed:
			timer.Stop()
			return nil, net.ErrClosed
		case <-timer.C:
		}
		pause = min(2*pause, maxRetryDelay)
	}
}

// Close closes the listener, and ends an Accept that waits.
func (p *retryListener) Close() error { return p.close() }
