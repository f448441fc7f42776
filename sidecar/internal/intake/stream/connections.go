package stream

import (
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/sidecar/internal/registry"
	"github.com/landmark-health/landmark/sidecar/internal/socket"
)

// connections are those that agents have open.
type connections struct {
	perUser  int                // how many one user may have; root and landmarkd's own may have any number
	registry *registry.Registry // whose clock is told of each

	mu      sync.Mutex // guards what follows
	open    map[*connection]struct{}
	of      map[uint32]int   // how many each user has, by uid
	unread  bool             // whether inspect last found bytes
	inspect func(fd uintptr) // made once: a closure for each look would be garbage
}

// connection is one of them, from its acceptance to its Close.
type connection struct {
	net.Conn
	raw  syscall.RawConn // of Conn
	peer socket.Peer
	all  *connections
}

func newConnections(perUser int, r *registry.Registry) *connections {
	c := &connections{perUser: perUser, registry: r, open: make(map[*connection]struct{}), of: make(map[uint32]int)}
	c.inspect = func(fd uintptr) {
		n, err := unix.IoctlGetUint32(int(fd), unix.SIOCINQ)
		c.unread = err == nil && n > 0
	}
	return c
}

// identify returns conn with who is at its other end, which a Unix socket
// alone can tell.
func (c *connections) identify(conn net.Conn) (*connection, error) {
	s, ok := conn.(syscall.Conn)
	if !ok || conn.LocalAddr().Network() != "unix" {
		return nil, fmt.Errorf("agents connect by a Unix socket, not by %s", conn.LocalAddr().Network())
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	peer, err := socket.PeerOf(s)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: conn, raw: raw, peer: peer, all: c}, nil
}

// add takes the connection as one of the open ones, unless its user has as
// many as one may have.
func (c *connections) add(conn *connection) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	uid := conn.peer.UID
	if uid != 0 && uid != uint32(os.Geteuid()) && c.of[uid] >= c.perUser {
		return false
	}
	c.registry.Clock().Join()
	c.open[conn] = struct{}{}
	c.of[uid]++
	return true
}

// remove takes the connection from the open ones, if it is one.
func (c *connections) remove(conn *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, open := c.open[conn]; !open {
		return
	}
	c.registry.Clock().Leave()
	delete(c.open, conn)
	uid := conn.peer.UID
	if c.of[uid]--; c.of[uid] == 0 {
		delete(c.of, uid)
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

// SyscallConn implements syscall.Conn.
func (conn *connection) SyscallConn() (syscall.RawConn, error) { return conn.raw, nil }

// Close closes the connection and gives its place among its user's back.
func (conn *connection) Close() error {
	err := conn.Conn.Close()
	conn.all.remove(conn)
	return err
}
