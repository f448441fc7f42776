package nonblock

import (
	"cmp"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// roomInterval is how often a Write looks whether the socket has room again.
const roomInterval = 10 * time.Millisecond

// QuietConn is a Unix connection that wakes this process only when something arrives. A
// socket that is in Go's poller itself wakes it also each time that the peer has read what
// was written. A Write that finds no room, which is rare, looks again and again.
type QuietConn struct {
	socket        *os.File // not in Go's poller
	raw           syscall.RawConn
	arrivals      *os.File // an epoll descriptor with the socket, in Go's poller
	arrived       syscall.RawConn
	local, remote net.Addr
	closed        chan struct{}
	close         func() error
	writing       sync.Mutex
	writeBy       atomic.Pointer[time.Time] // the deadline of Write, nil = none
}

// NewQuietConn returns such a connection instead of conn, which it closes.
func NewQuietConn(conn *net.UnixConn) (*QuietConn, error) {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &QuietConn{local: conn.LocalAddr(), remote: conn.RemoteAddr(), closed: make(chan struct{})}
	c.close = sync.OnceValue(func() error {
		close(c.closed)
		return cmp.Or(c.arrivals.Close(), c.socket.Close())
	})
	if failed := raw.Control(func(fd uintptr) { c.socket, err = Detach(fd, "unix") }); cmp.Or(failed, err) != nil {
		return nil, cmp.Or(failed, err)
	}
	if c.arrivals, err = OpenEpoll(); err != nil {
		c.socket.Close()
		return nil, err
	}
	if err := c.connect(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// connect adds the socket to the epoll descriptor.
func (c *QuietConn) connect() (err error) {
	if c.raw, err = c.socket.SyscallConn(); err != nil {
		return err
	}
	if c.arrived, err = c.arrivals.SyscallConn(); err != nil {
		return err
	}
	failed := c.raw.Control(func(fd uintptr) {
		failed := c.arrived.Control(func(epoll uintptr) {
			err = AddToEpoll(int(epoll), int(fd), &unix.EpollEvent{Events: unix.EPOLLIN})
		})
		err = cmp.Or(failed, os.NewSyscallError("epoll_ctl", err))
	})
	return cmp.Or(failed, err)
}

// Read implements net.Conn.
func (c *QuietConn) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	var failed error
	if err := c.arrived.Read(func(uintptr) bool {
		n, failed = c.transfer(Receive, b)
		return failed != unix.EAGAIN
	}); err != nil {
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			err = net.ErrClosed // of a file it is another error
		}
		return 0, c.opError("read", err)
	}
	if failed == nil && n == 0 {
		return 0, io.EOF
	}
	return n, c.opError("read", failed)
}

// Write implements net.Conn.
func (c *QuietConn) Write(b []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for n < len(b) {
		sent, err := c.transfer(Send, b[n:])
		n += sent
		if err == unix.EAGAIN {
			err = c.awaitRoom()
		}
		if err != nil {
			return n, c.opError("write", err)
		}
	}
	return n, nil
}

// awaitRoom waits until there may be room in the socket.
func (c *QuietConn) awaitRoom() error {
	if by := c.writeBy.Load(); by != nil && !time.Now().Before(*by) {
		return os.ErrDeadlineExceeded
	}
	select {
	case <-time.After(roomInterval):
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}

// transfer receives or sends, without waiting.
func (c *QuietConn) transfer(call func(fd int, b []byte) (int, error), b []byte) (n int, err error) {
	if c.raw.Control(func(fd uintptr) { n, err = call(int(fd), b) }) != nil {
		return 0, net.ErrClosed
	}
	return n, err
}

// Close implements net.Conn.
func (c *QuietConn) Close() error { return c.close() }

// LocalAddr implements net.Conn.
func (c *QuietConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *QuietConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *QuietConn) SetDeadline(t time.Time) error {
	return cmp.Or(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *QuietConn) SetReadDeadline(t time.Time) error { return c.arrivals.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *QuietConn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		c.writeBy.Store(nil)
	} else {
		c.writeBy.Store(&t)
	}
	return nil
}

// SyscallConn implements syscall.Conn.
func (c *QuietConn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// opError returns the error as package net does, nil for nil.
func (c *QuietConn) opError(call string, err error) error {
	return opError(call, c.local, c.remote, err)
}
