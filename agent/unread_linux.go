package agent

import (
	"net"
	"syscall"

	"github.com/landmark-health/landmark/internal/arrivals"
	"github.com/landmark-health/landmark/internal/nonblock"
)

// cheap returns the connection such that it wakes no thread of Go's runtime in vain: a
// report costs an idle program less.
func cheap(conn net.Conn) (net.Conn, error) {
	if c, ok := conn.(*net.UnixConn); ok {
		return arrivals.NewConn(c)
	}
	return conn, nil
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
