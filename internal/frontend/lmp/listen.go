package lmp

import (
	"context"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/socket"
)

// unsent is how many bytes the kernel takes for a checker that has no room for
// them: some frames. By itself it would keep megabytes, and a checker of a WATCH
// who was away for an hour would then be told that hour, from its beginning.
const unsent = 8 * 32

// listenStreams binds the address for TCP. What is set of the listener holds
// for its connections as well.
func listenStreams(address string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(fd uintptr) {
			// A peer that has vanished acknowledges nothing, whereas it is room
			// that a write waits for.
			err := unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(socket.FrameTimeout.Milliseconds()))
			if err == nil {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
			}
			failed = os.NewSyscallError("setsockopt", err)
		})
		if err != nil {
			return err
		}
		return failed
	}}
	return config.Listen(context.Background(), "tcp", address)
}
