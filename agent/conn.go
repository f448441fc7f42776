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

	// expected is the least that written is once gRPC has written all messages that
	// were sent. It belongs to the goroutine that sends.
	expected int64
}

func newConn(netConn net.Conn) *conn {
	c := &conn{Conn: cheap(netConn)}
	if s, ok := netConn.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn()
	}
	return c
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	return n, err
}

// frameHeaders is how many bytes HTTP/2 and gRPC add to a message.
const frameHeaders = 9 + 5

// willSend records that a message of the given size in bytes is about to be sent.
func (c *conn) willSend(size int) {
	c.expected = max(c.expected, c.written.Load()) + frameHeaders + int64(size)
}

// allRead reports whether the sidecar has read all messages that were sent. gRPC
// writes a message some time after Send, so an empty socket alone is no proof.
func (c *conn) allRead() bool {
	return c.raw == nil || c.written.Load() >= c.expected && !unread(c.raw)
}
