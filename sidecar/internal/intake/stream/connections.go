package stream

import (
	"errors"
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/sidecar/internal/registry"
)

// connections are those that agents have open.
type connections struct {
	registry *registry.Registry // whose clock is told of each

	mu      sync.Mutex // guards what follows
	open    map[*connection]struct{}
	unread  bool             // whether inspect last found bytes
	inspect func(fd uintptr) // made once: a closure for each look would be garbage
}

// connection is one of them, from its acceptance to its Close.
type connection struct {
	net.Conn
	raw syscall.RawConn // of Conn
	all *connections
}

func newConnections(r *registry.Registry) *connections {
	c := &connections{registry: r, open: make(map[*connection]struct{})}
	c.inspect = func(fd uintptr) {
		n, err := unix.IoctlGetUint32(int(fd), unix.SIOCINQ)
		c.unread = err == nil && n > 0
	}
	return c
}

// add takes conn, which is the kernel's, as one of the open ones.
func (c *connections) add(conn net.Conn) (*connection, error) {
	s, ok := conn.(syscall.Conn)
	if !ok {
		return nil, errors.New("the connection is none of the kernel's")
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	added := &connection{Conn: conn, raw: raw, all: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.registry.Clock().Join()
	c.open[added] = struct{}{}
	return added, nil
}

// remove takes the connection from the open ones, if it is one.
func (c *connections) remove(conn *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, open := c.open[conn]; open {
		c.registry.Clock().Leave()
		delete(c.open, conn)
	}
}

// readEmpty reports whether no connection has bytes that were not read from
// the kernel yet. One that is closed meanwhile has none.
func (c *connections) readEmpty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		if conn.raw.Control(c.inspect) == nil && c.unread {
			return false
		}
	}
	return true
}

// NetConn returns the connection below, as a tls.Conn does.
func (conn *connection) NetConn() net.Conn { return conn.Conn }

// SyscallConn implements syscall.Conn.
func (conn *connection) SyscallConn() (syscall.RawConn, error) { return conn.raw, nil }

// Close closes the connection, which is then none of the open ones.
func (conn *connection) Close() error {
	err := conn.Conn.Close()
	conn.all.remove(conn)
	return err
}
