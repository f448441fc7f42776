package agent

import (
	"net"
	"sync/atomic"
	"syscall"
)

// A conn is the connection to the sidecar. It knows whether the sidecar has read
// what was sent.
type conn struct {
	net.Conn
	raw     syscall.RawConn // nil if it is not a socket
	written atomic.Int64    // bytes
	wrote   chan struct{}   // holds a token once something was written

	// expected is the least that written is once gRPC has written all messages that
	// were sent. It belongs to the goroutine that sends.
	expected int64
}

// newConn returns such a connection instead of netConn, which is closed if that fails.
func newConn(netConn net.Conn) (*conn, error) {
	netConn, err := cheap(netConn)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: netConn, wrote: make(chan struct{}, 1)}
	if s, ok := netConn.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn()
	}
	return c, nil
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	select {
	case c.wrote <- struct{}{}:
	default: // there is a token already
	}
	return n, err
}

// frameHeaders is how many bytes HTTP/2 and gRPC add to a message.
const frameHeaders = 9 + 5

// willSend records that a message of the given size in bytes is about to be sent.
func (c *conn) willSend(size int) {
	c.expected = max(c.expected, c.written.Load()) + frameHeaders + int64(size)
}

// allWritten reports whether gRPC has written all messages that were sent. It does so some
// time after Send.
func (c *conn) allWritten() bool { return c.written.Load() >= c.expected }

// allRead reports whether the sidecar has read all messages that were sent.
func (c *conn) allRead() bool {
	return c.raw == nil || c.allWritten() && !unread(c.raw) // an empty socket alone is no proof
}
