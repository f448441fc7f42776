package arrivals

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

	"github.com/landmark-health/landmark/internal/nonblock"
)

// roomInterval is how often a Write looks whether the socket has room again.
const roomInterval = 10 * time.Millisecond

// Conn is a Unix connection that wakes this process only when something arrives. A
// socket that is in Go's poller itself wakes it also each time that the peer has read what
// was written. A Write that finds no room, which is rare, looks again and again.
type Conn struct {
	socket        *os.File // not in Go's poller
	raw           syscall.RawConn
	arrivals      *Arrivals
	reading       sync.Mutex
	local, remote net.Addr
	closed        chan struct{}
	close         func() error
	writing       sync.Mutex
	writeBy       atomic.Pointer[time.Time] // the deadline of Write, nil = none
}

// NewConn returns such a connection instead of conn, which it closes.
func NewConn(conn *net.UnixConn) (*Conn, error) {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &Conn{local: conn.LocalAddr(), remote: conn.RemoteAddr(), closed: make(chan struct{})}
	c.close = sync.OnceValue(func() error {
		close(c.closed)
		return cmp.Or(c.arrivals.Close(), c.socket.Close())
	})
	if failed := raw.Control(func(fd uintptr) { c.socket, err = nonblock.Detach(fd, "unix") }); cmp.Or(failed, err) != nil {
		return nil, cmp.Or(failed, err)
	}
	if c.raw, err = c.socket.SyscallConn(); err == nil {
		failed := c.raw.Control(func(fd uintptr) { c.arrivals, err = New(int(fd)) })
		err = cmp.Or(failed, err)
	}
	if err != nil {
		c.socket.Close()
		return nil, err
	}
	return c, nil
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	var failed error
	if err := c.arrivals.Wait(func() bool {
		n, failed = c.transfer(nonblock.Receive, b)
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
func (c *Conn) Write(b []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for n < len(b) {
		if by := c.writeBy.Load(); by != nil && !time.Now().Before(*by) {
			return n, c.opError("write", os.ErrDeadlineExceeded)
		}
		sent, err := c.transfer(nonblock.Send, b[n:])
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
func (c *Conn) awaitRoom() error {
	select {
	case <-time.After(roomInterval):
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}

// transfer receives or sends, without waiting.
func (c *Conn) transfer(call func(fd int, b []byte) (int, error), b []byte) (n int, err error) {
	if c.raw.Control(func(fd uintptr) { n, err = call(int(fd), b) }) != nil {
		return 0, net.ErrClosed
	}
	return n, err
}

// Close implements net.Conn.
func (c *Conn) Close() error { return c.close() }

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return cmp.Or(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.arrivals.SetDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		c.writeBy.Store(nil)
	} else {
		c.writeBy.Store(&t)
	}
	return nil
}

// SyscallConn implements syscall.Conn.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// opError returns the error as package net does, nil for nil.
func (c *Conn) opError(call string, err error) error {
	return nonblock.OpError(call, c.local, c.remote, err)
}
