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

	"github.com/landmark-health/landmark/internal/guard"
	"github.com/landmark-health/landmark/internal/nonblock"
	"github.com/landmark-health/landmark/internal/peercred"
	"github.com/landmark-health/landmark/internal/pidfd"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
)

// listener adds the connections that it accepts to the open ones.
type listener struct {
	net.Listener
	connections *connections
	logger      *slog.Logger
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn, err := l.connections.add(accepted)
		if err != nil {
			l.logger.Error("connection refused", "why", err)
			accepted.Close()
			continue
		}
		return conn, nil
	}
}

// connections are the open connections of agents.
type connections struct {
	registry *registry.Registry // whose clock counts each connection as a source
	logger   *slog.Logger
	exits    *pidfd.Watcher // of the processes; nil before Run

	mu    sync.Mutex
	users map[uint32]*user // that have connections; guarded by mu
}

// connection is an open connection of an agent.
type connection struct {
	net.Conn
	raw    syscall.RawConn // of Conn
	reader *reader
	all    *connections
	uid    uint32
	user   *user
	bytes  *bucket

	exit *pidfd.Watch // of its process, nil if that is not watched

	readAfter  time.Time       // nothing is read before; used by the reading goroutine only
	readable   bool            // AwaitReadable has returned, and Read was not called since; used by the reading goroutine only
	closed     context.Context // done by the first Close, or when another connection displaces it
	stop       func()          // ends closed
	quiet      bool            // it is a quiet source of the clock; guarded by connections.mu
	removed    bool            // it is no source any more; guarded by connections.mu
	removeOnce func()

	stopExpecting func() // a report over it; called once a process has declared its landmarks over it, or it is closed
}

func newConnections(r *registry.Registry, logger *slog.Logger) *connections {
	return &connections{registry: r, logger: logger, users: make(map[uint32]*user)}
}

// add adds conn, which must be a Unix connection.
func (c *connections) add(conn net.Conn) (*connection, error) {
	s, ok := conn.(syscall.Conn)
	if !ok {
		return nil, errors.New("the connection is not a socket")
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
		Conn: conn, raw: raw, reader: newReader(conn, raw), all: c, uid: peer.UID,
		bytes:         newBucket(bytesPerSecond, bytesBurst),
		stopExpecting: c.registry.ExpectReport(peer.UID),
	}
	added.closed, added.stop = context.WithCancel(socket.Closed(conn))
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
		added.watchExit(c.exits)
	}
	return added, nil
}

// connectionOf returns the connection of the stream with the context, or nil if it
// was not added.
func connectionOf(ctx context.Context) *connection {
	conn := peercred.ConnFromContext(ctx)
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

// remove removes the connection from the open ones.
func (conn *connection) remove() {
	conn.stop()
	conn.stopExpecting()
	c := conn.all
	if conn.exit != nil {
		conn.exit.Stop()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.removed = true
	if conn.quiet {
		c.registry.Clock().RemoveQuietSource()
	} else {
		c.registry.Clock().RemoveSource()
	}
	if conn.user.connections--; conn.user.connections == 0 {
		delete(c.users, conn.uid)
	}
}

// becomeQuiet makes the connection a quiet source of the clock: from its first report on,
// the registry knows when a silence could count.
func (conn *connection) becomeQuiet() {
	c := conn.all
	c.mu.Lock()
	defer c.mu.Unlock()
	if !conn.quiet && !conn.removed {
		conn.quiet = true
		c.registry.Clock().AddQuietSource()
		c.registry.Clock().RemoveSource()
	}
}

// AwaitReadable returns once the next Read need not wait. It implements guard.Awaiter.
func (conn *connection) AwaitReadable() error {
	if wait := time.Until(conn.readAfter); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-conn.closed.Done():
		}
	}
	if err := conn.reader.wait(); err != nil {
		return err
	}
	conn.readable = true
	return nil
}

// Read reads at the limited rate. It waits before it reads, so that what it has not
// returned is still in the socket.
func (conn *connection) Read(b []byte) (int, error) {
	if !conn.readable {
		if err := conn.AwaitReadable(); err != nil {
			return 0, err
		}
	}
	conn.readable = false
	n, err := conn.reader.read(b)
	now := time.Now()
	own, shared := conn.bytes.take(n, now), conn.user.bytes.take(n, now)
	if wait := max(own, shared); wait > 0 {
		conn.readAfter = now.Add(wait)
		conn.user.logSlowed(own > 0, now)
	}
	return n, err
}

// caughtUp reports whether no unread bytes are in the socket. A closed connection
// has none.
func (conn *connection) caughtUp() bool {
	unread := false
	err := conn.raw.Control(func(fd uintptr) {
		n, err := nonblock.Unread(int(fd))
		unread = err == nil && n > 0
	})
	return err != nil || !unread
}

// allHandled reports whether everything that was read of the connection is handled, if so
// many messages of the stream with the context are. Look before whether the socket is
// empty.
func (conn *connection) allHandled(ctx context.Context, messages uint64) bool {
	return !conn.reader.reading.Load() && guard.Delivered(ctx, messages)
}

// shutRead ends the connection once what is in its socket has been read.
func (conn *connection) shutRead() {
	conn.raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RD) })
}

// NetConn returns the connection below, like the method of tls.Conn.
func (conn *connection) NetConn() net.Conn { return conn.Conn }

// SyscallConn implements syscall.Conn.
func (conn *connection) SyscallConn() (syscall.RawConn, error) { return conn.raw, nil }

// Close closes the connection and removes it from the open ones.
func (conn *connection) Close() error {
	err := conn.Conn.Close()
	conn.removeOnce()
	return err
}
