package pidfd

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Open returns a pidfd of the process with the number. The error is ESRCH if there is
// none, or if its parent has waited for it.
func Open(pid int) (int, error) { return unix.PidfdOpen(pid, 0) }

// OfPeer returns a pidfd of the process that opened the Unix connection. The error is
// ESRCH if that process has exited and its parent has waited for it.
func OfPeer(connection int) (int, error) {
	fd, err := unix.GetsockoptInt(connection, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if errors.Is(err, unix.ENOPROTOOPT) { // Linux before 6.5
		return ofPeerByPID(connection)
	}
	return fd, err
}

// ofPeerByPID is OfPeer by the process number, which another process may have by now.
// Then the process that opened the connection has exited.
func ofPeerByPID(connection int) (int, error) {
	peer, err := unix.GetsockoptUcred(connection, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return -1, err
	}
	if peer.Pid == 0 { // it is in a PID namespace that this process cannot see
		return -1, errors.ErrUnsupported
	}
	return Open(int(peer.Pid))
}
