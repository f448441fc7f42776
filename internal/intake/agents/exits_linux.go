package agents

import (
	"errors"

	"golang.org/x/sys/unix"

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
