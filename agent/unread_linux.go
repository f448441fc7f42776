package agent

import (
	"net"
	"syscall"

	"github.com/landmark-health/landmark/internal/nonblock"
)

// cheap returns the connection such that a Write wakes no thread of Go's runtime: a report
// costs an idle program less.
func cheap(conn net.Conn) net.Conn {
	if c, ok := conn.(*net.UnixConn); ok {
		return nonblock.NewConn(c)
	}
	return conn
}

// unread reports whether the other end of the socket has not yet read everything
// that was written (unix(7), SIOCOUTQ). It returns false if that is unknown.
func unread(socket syscall.RawConn) (found bool) {
	_ = socket.Control(func(fd uintptr) {
		n, err := nonblock.Unsent(int(fd))
		found = err == nil && n > 0
	})
	return found
}
