package socket

import (
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Peer is the process at the other end of a Unix connection, with the credentials
// that it had when it connected (SO_PEERCRED, unix(7)). The kernel reports them, so
// the process cannot forge them.
type Peer struct {
	UID uint32
	GID uint32
	PID int32 // 0 if it is in another PID namespace
}

// PeerOf returns the peer of a Unix connection. It returns an error for any other
// connection, whose peer the kernel does not know.
func PeerOf(conn syscall.Conn) (Peer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err != nil {
		return Peer{}, err
	}
	if failed != nil {
		return Peer{}, fmt.Errorf("reading the peer's credentials: %w", os.NewSyscallError("getsockopt", failed))
	}
	if cred.Uid == math.MaxUint32 {
		return Peer{}, errors.New("the peer has no credentials: the connection is not a Unix socket")
	}
	return Peer{UID: cred.Uid, GID: cred.Gid, PID: cred.Pid}, nil
}
