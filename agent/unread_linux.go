package agent

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// unread reports whether the other end of the socket has not yet read everything
// that was written (unix(7), SIOCOUTQ). It returns false if that is unknown.
func unread(socket syscall.RawConn) (found bool) {
	_ = socket.Control(func(fd uintptr) {
		n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		found = err == nil && n > 0
	})
	return found
}
