package web

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/socket"
)

// deadlineListener is a listener whose connections are deadlineConns.
type deadlineListener struct{ net.Listener }

func (l deadlineListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &deadlineConn{Conn: conn}, nil
}

// writeSize is how much the peer of a deadlineConn must receive within
// socket.FrameTimeout, in bytes.
const writeSize = 16 << 10

// deadlineConn is a connection whose peer must receive what is written at a minimum rate.
// So an answer without end, such as server-sent events, needs no deadline of its own.
type deadlineConn struct {
	net.Conn
	mu       sync.Mutex // guards what follows, and the deadline of Conn
	deadline time.Time  // that the server has set; zero = none
}

func (c *deadlineConn) Write(b []byte) (written int, err error) {
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
func (c *deadlineConn) limitWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	deadline := time.Now().Add(socket.FrameTimeout)
	if !c.deadline.IsZero() && c.deadline.Before(deadline) {
		deadline = c.deadline
	}
	return c.Conn.SetWriteDeadline(deadline)
}

// SetWriteDeadline sets a deadline for all writes that follow together.
func (c *deadlineConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *deadlineConn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// NetConn returns the connection below, for socket.MarkProven.
func (c *deadlineConn) NetConn() net.Conn { return c.Conn }

// connKey is the key of the connection in the context of its requests.
type connKey struct{}

func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// connOf returns the connection of the request.
func connOf(r *http.Request) net.Conn {
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	return conn
}
