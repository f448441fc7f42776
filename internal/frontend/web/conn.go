package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/rate"
	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/internal/socket"
)

// listener is a listener whose connections are limited.
type listener struct {
	net.Listener
	pacer   *pacer
	serving func() // called before the first connection
}

func (l listener) Accept() (net.Conn, error) {
	l.serving()
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	limitBuffers(accepted)
	return newConn(accepted, l.pacer), nil
}

// The kernel queues at most so many bytes for a client that does not read, and from one
// that sends what is not read yet. By default it queues megabytes.
const (
	maxUnsent = 16 << 10
	maxUnread = 16 << 10
)

// limitBuffers limits what the kernel keeps for a client that does not read, that sends too
// much, or that has vanished. If it fails, the limits of conn are enough for landmarkd itself.
func limitBuffers(accepted net.Conn) {
	below, ok := accepted.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := below.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, maxUnread)
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(socket.FrameTimeout.Milliseconds()))
	})
}

// writeSize is how much the peer of a conn must receive within
// socket.FrameTimeout, in bytes.
const writeSize = 16 << 10

// conn is a connection whose peer must receive what is written at a minimum rate.
// So an answer without end, such as server-sent events, needs no deadline of its own.
type conn struct {
	net.Conn
	pacer  *pacer
	client *pacedClient
	own    rate.Bucket[time.Time] // answers of this connection; used by one request after the other
	closed context.Context        // done once the connection is closed, whoever closes it
	end    func()                 // ends closed, and gives the connection back to the pacer

	mu       sync.Mutex // guards what follows, and the deadline of Conn
	deadline time.Time  // that the server has set; zero = none
}

// newConn returns a connection that the pacer paces.
func newConn(accepted net.Conn, p *pacer) *conn {
	c := &conn{Conn: accepted, pacer: p, client: p.add(accepted), own: rate.New[time.Time](connPerSecond, connBurst)}
	c.own.Take(connBurst, time.Now())
	closed, stop := context.WithCancel(socket.Closed(accepted))
	c.closed = closed
	c.end = sync.OnceFunc(func() {
		stop()
		p.remove(c.client)
	})
	return c
}

func (c *conn) Write(b []byte) (written int, err error) {
	for {
		if err := c.limitWrite(); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(b[written:min(written+writeSize, len(b))])
		if written += n; err != nil || written == len(b) {
			return written, err
		}
	}
}

// limitWrite sets the deadline of a write that begins now.
func (c *conn) limitWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	deadline := time.Now().Add(socket.FrameTimeout)
	if !c.deadline.IsZero() && c.deadline.Before(deadline) {
		deadline = c.deadline
	}
	return c.Conn.SetWriteDeadline(deadline)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.end()
	return c.Conn.Close()
}

// SetWriteDeadline sets a deadline for all writes that follow together.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// waitForPace waits until the client may get one more answer. The error is errTooFast, or
// that of closed.
func (c *conn) waitForPace() error {
	if c.own.Take(1, time.Now()) {
		return c.closed.Err()
	}
	wait, err := c.pacer.reserve(c.client)
	if err != nil {
		return err
	}
	if wait > 0 && !sleep.For(c.closed, wait) {
		c.pacer.giveBack(c.client)
	}
	return c.closed.Err()
}

// NetConn returns the connection below, for socket.MarkAnswered.
func (c *conn) NetConn() net.Conn { return c.Conn }

// waitForPace waits until the client of the connection may get one more answer, or closes
// the connection. The server calls it once for each request, also for wrong ones and for
// those that its file refuses.
func (s *Server) waitForPace(c net.Conn, state http.ConnState) {
	if state != http.StateActive {
		return
	}
	limited := limitedConn(c)
	err := limited.waitForPace()
	if errors.Is(err, errTooFast) {
		s.tooFast.Add(1)
	}
	if err != nil {
		limited.Close() // without TLS's close_notify, which could block; beforeToolkit sees it
	}
}

// limitedConn returns the conn that c is or wraps, nil if there is none.
func limitedConn(c net.Conn) *conn {
	for {
		switch wrapped := c.(type) {
		case *conn:
			return wrapped
		case interface{ NetConn() net.Conn }:
			c = wrapped.NetConn()
		default:
			return nil
		}
	}
}

// connKey is the key of the connection in the context of its requests.
type connKey struct{}

// withConn returns the context of the requests of a connection. It is done when the
// connection is closed. The server itself notices that only once it has read all that the
// client has sent: not behind a body, or behind one more request.
func withConn(ctx context.Context, c net.Conn) context.Context {
	ctx, cancel := context.WithCancel(context.WithValue(ctx, connKey{}, c))
	context.AfterFunc(limitedConn(c).closed, cancel)
	return ctx
}

// connOf returns the connection of the request.
func connOf(r *http.Request) net.Conn {
	c, _ := r.Context().Value(connKey{}).(net.Conn)
	return c
}
