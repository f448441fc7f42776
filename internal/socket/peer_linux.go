package socket

import (
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Peer is who connected, as the kernel vouches (SO_PEERCRED, unix(7)): the
// credentials that the process had when it did.
type Peer struct {
	UID uint32
	GID uint32
	PID int32 // 0 if it is of another PID namespace
}

// PeerOf returns who is at the other end of the Unix connection. Of any other
// the kernel tells nobody, which is an error.
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
		return Peer{}, fmt.Errorf("asking for the peer's credentials: %w", os.NewSyscallError("getsockopt", failed))
	}
	if cred.Uid == math.MaxUint32 {
		return Peer{}, errors.New("the kernel does not know who the peer is: it is not at a Unix socket")
	}
	return Peer{UID: cred.Uid, GID: cred.Gid, PID: cred.Pid}, nil
}
