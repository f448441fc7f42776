package agents

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/nonblock"
	"github.com/landmark-health/landmark/internal/pidfd"
)

// watchExit ends the connection once its process has exited. The kernel does not always
// do that: a child that inherited the connection holds it open.
func (conn *connection) watchExit(exits *pidfd.Watcher) {
	process := -1
	var failed error
	err := conn.raw.Control(func(fd uintptr) {
		process, failed = pidfd.OfPeer(int(fd))
	})
	switch {
	case err != nil:
		return
	case errors.Is(failed, unix.ESRCH):
		conn.shutRead() // the process has exited
		return
	case failed != nil:
		return
	}
	conn.exit, _ = exits.Watch(process, conn.shutRead)
}

// hasEnded reports whether the process has exited or closed the connection, or the
// connection is closed. What the process sent before may be unread, and the end of its
// sessions not be handled yet.
func (conn *connection) hasEnded() bool {
	ended := false
	err := conn.raw.Control(func(fd uintptr) {
		if conn.exit != nil {
			ended = conn.exit.HasExitedOr(int(fd), unix.POLLRDHUP) // and POLLHUP, always
			return
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := nonblock.Ready(fds)
		ended = err == nil && n > 0
	})
	return err != nil || ended
}
