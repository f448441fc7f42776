package nonblock

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Conn is a Unix connection whose Read and Write make such calls.
type Conn struct {
	*net.UnixConn
	raw syscall.RawConn
}

// NewConn returns the connection with such a Read and Write.
func NewConn(conn *net.UnixConn) *Conn {
	raw, err := conn.SyscallConn()
	if err != nil {
		panic(err) // only of a connection that was never opened
	}
	return &Conn{conn, raw}
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	var failed error
	if err := c.raw.Read(func(fd uintptr) bool {
		n, failed = Read(int(fd), b)
		return failed != unix.EAGAIN
	}); err != nil {
		return 0, err
	}
	if failed == nil && n == 0 {
		return 0, io.EOF
	}
	return n, c.opError("read", failed)
}

// Write implements net.Conn.
func (c *Conn) Write(b []byte) (n int, err error) {
	var failed error
	if err := c.raw.Write(func(fd uintptr) bool {
		for failed = nil; n < len(b) && failed == nil; {
			var written int
			written, failed = Write(int(fd), b[n:])
			n += written
		}
		return failed != unix.EAGAIN
	}); err != nil {
		return n, err
	}
	return n, c.opError("write", failed)
}

// opError returns the error as package net does, nil for nil.
func (c *Conn) opError(call string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: call, Net: "unix", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(call, err)}
}
