package agents

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/peercred"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
)

// connections are those that agents have open.
type connections struct {
	registry *registry.Registry // whose clock is told of each
	logger   *slog.Logger
	exits    *exitWatcher // of their processes; nil before Run

	mu    sync.Mutex
	users map[uint32]*user // that have connections; guarded by mu
}

// connection is one of them, from its acceptance to its Close.
type connection struct {
	net.Conn
	raw   syscall.RawConn // of Conn
	all   *connections
	uid   uint32
	user  *user
	bytes *bucket

	pidfd int32 // its descriptor, if ends watches it

	readAfter  time.Time     // before which nothing is read; for Read alone
	closed     chan struct{} // closed by the first Close
	removeOnce func()

	markReported func() // called once a process has reported over it, or it is closed
}

func newConnections(r *registry.Registry, logger *slog.Logger) *connections {
	return &connections{registry: r, logger: logger, users: make(map[uint32]*user)}
}

// add takes conn, which is a Unix socket's, as one of the open ones.
func (c *connections) add(conn net.Conn) (*connection, error) {
	s, ok := conn.(syscall.Conn)
	if !ok {
		return nil, errors.New("the connection is none of the kernel's")
	}
	peer, err := socket.PeerOf(s)
	if err != nil {
		return nil, err
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	added := &connection{
		Conn: conn, raw: raw, all: c, uid: peer.UID,
		bytes:        newBucket(bytesPerSecond, bytesBurst),
		closed:       make(chan struct{}),
		markReported: c.registry.ExpectReport(peer.UID),
	}
	added.removeOnce = sync.OnceFunc(added.remove)
	c.mu.Lock()
	defer c.mu.Unlock()
	if added.user = c.users[peer.UID]; added.user == nil {
		added.user = newUser(peer.UID, c.logger)
		c.users[peer.UID] = added.user
	}
	added.user.connections++
	c.registry.Clock().AddSource()
	if c.exits != nil {
		c.exits.watch(added)
	}
	return added, nil
}

// connectionOf returns the connection of ctx's stream, nil if it is not one that
// was added.
func connectionOf(ctx context.Context) *connection {
	conn := peercred.Conn(ctx)
	for {
		switch c := conn.(type) {
		case *connection:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

// remove takes the connection from the open ones.
func (conn *connection) remove() {
	close(conn.closed)
	conn.markReported()
	c := conn.all
	if c.exits != nil {
		c.exits.unwatch(conn)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.registry.Clock().RemoveSource()
	if conn.user.connections--; conn.user.connections == 0 {
		delete(c.users, conn.uid)
	}
}

// Read reads, once as much may be read. It waits before, so that what it does
// not return is still in the socket.
func (conn *connection) Read(b []byte) (int, error) {
	if wait := time.Until(conn.readAfter); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-conn.closed:
		}
	}
	n, err := conn.Conn.Read(b)
	now := time.Now()
	own, shared := conn.bytes.take(n, now), conn.user.bytes.take(n, now)
	if wait := max(own, shared); wait > 0 {
		conn.readAfter = now.Add(wait)
		conn.user.logSlowed(own > 0, now)
	}
	return n, err
}

// caughtUp reports whether the connection has no bytes that were not read from
// the kernel yet. One that is closed meanwhile has none.
func (conn *connection) caughtUp() bool {
	unread := false
	err := conn.raw.Control(func(fd uintptr) {
		n, err := unix.IoctlGetUint32(int(fd), unix.SIOCINQ)
		unread = err == nil && n > 0
	})
	return err != nil || !unread
}

// shutRead ends the connection once what lies in its socket was read.
func (conn *connection) shutRead() {
	conn.raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RD) })
}

// NetConn returns the connection below, as a tls.Conn does.
func (conn *connection) NetConn() net.Conn { return conn.Conn }

// SyscallConn implements syscall.Conn.
func (conn *connection) SyscallConn() (syscall.RawConn, error) { return conn.raw, nil }

// Close closes the connection, which is then none of the open ones.
func (conn *connection) Close() error {
	err := conn.Conn.Close()
	conn.removeOnce()
	return err
}
