package nonblock

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Accept is accept4(2) of a socket that listens and does not block. The new descriptor does
// not block either. The peer's address is stored in peer. unix.Accept4 would make another
// system call to parse it.
func Accept(fd int, peer *unix.RawSockaddrAny) (conn int, err error) {
	size := uint32(unix.SizeofSockaddrAny)
	r, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(peer)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// Close is close(2) of a socket, unless it has SO_LINGER: the kernel sends what is unsent
// later.
func Close(fd int) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// Detach returns a copy of the socket fd that Go's poller does not have. The socket blocks
// from then on, except where a call says that it must not (MSG_DONTWAIT).
func Detach(fd uintptr, name string) (*os.File, error) {
	copied, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(copied, false); err != nil { // os.NewFile gives the poller what does not block
		unix.Close(copied)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(copied), name), nil
}

// OpenEpoll returns a new epoll descriptor in Go's poller: who waits to read it waits until
// something in it is ready.
func OpenEpoll() (*os.File, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that os.NewFile gives it to the poller
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	epoll := os.NewFile(uintptr(fd), "epoll")
	if err := epoll.SetDeadline(time.Time{}); err != nil { // the poller does not have it
		epoll.Close()
		return nil, err
	}
	return epoll, nil
}

// AddToEpoll adds a socket to an epoll descriptor (epoll_ctl(2), EPOLL_CTL_ADD).
func AddToEpoll(epoll, fd int, event *unix.EpollEvent) error {
	return controlEpoll(epoll, unix.EPOLL_CTL_ADD, fd, event)
}

// ChangeInEpoll changes the events of a socket in an epoll descriptor (EPOLL_CTL_MOD).
func ChangeInEpoll(epoll, fd int, event *unix.EpollEvent) error {
	return controlEpoll(epoll, unix.EPOLL_CTL_MOD, fd, event)
}

// RemoveFromEpoll removes a socket from an epoll descriptor (EPOLL_CTL_DEL).
func RemoveFromEpoll(epoll, fd int) error {
	return controlEpoll(epoll, unix.EPOLL_CTL_DEL, fd, nil)
}

func controlEpoll(epoll, operation, fd int, event *unix.EpollEvent) error {
	if _, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), uintptr(operation), uintptr(fd), uintptr(unsafe.Pointer(event)), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// PollEpoll is epoll_wait(2) without waiting. It returns how many events it has stored.
func PollEpoll(epoll int, events []unix.EpollEvent) (n int, err error) {
	r, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
