package stream

import (
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// connections are those that agents have open.
type connections struct {
	mu      sync.Mutex // guards what follows
	open    map[*connection]struct{}
	unread  bool             // whether inspect last found bytes
	inspect func(fd uintptr) // made once: a closure for each look would be garbage
}

// connection is one of them, from its acceptance to its Close.
type connection struct {
	net.Conn
	raw syscall.RawConn // of Conn; nil if that has none
	all *connections
}

func newConnections() *connections {
	c := &connections{open: make(map[*connection]struct{})}
	c.inspect = func(fd uintptr) {
		n, err := unix.IoctlGetUint32(int(fd), unix.SIOCINQ)
		c.unread = err == nil && n > 0
	}
	return c
}

// add returns conn as one of the connections.
func (c *connections) add(conn net.Conn) *connection {
	added := &connection{Conn: conn, all: c}
	if s, ok := conn.(syscall.Conn); ok {
		added.raw, _ = s.SyscallConn() // fails if closed, when there is nothing to read either
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[added] = struct{}{}
	return added
}

// readEmpty reports whether no connection has bytes that were not read from
// the kernel yet. One that is closed meanwhile has none.
func (c *connections) readEmpty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		if conn.raw != nil && conn.raw.Control(c.inspect) == nil && c.unread {
			return false
		}
	}
	return true
}

// SyscallConn returns the socket below, and is called if there is one alone.
func (conn *connection) SyscallConn() (syscall.RawConn, error) { return conn.raw, nil }

// Close closes the connection, which is none of the open ones then.
func (conn *connection) Close() error {
	conn.all.mu.Lock()
	delete(conn.all.open, conn)
	conn.all.mu.Unlock()
	return conn.Conn.Close()
}

// listener accepts connections as ones of the set.
type listener struct {
	net.Listener
	connections *connections
}

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.connections.add(conn), nil
}
