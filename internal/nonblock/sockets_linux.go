package nonblock

import (
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

// AddToEpoll adds a socket to an epoll descriptor (epoll_ctl(2), EPOLL_CTL_ADD).
func AddToEpoll(epoll, fd int, event *unix.EpollEvent) error {
	return controlEpoll(epoll, unix.EPOLL_CTL_ADD, fd, event)
}

// ChangeInEpoll changes the events of a socket in an epoll descriptor (EPOLL_CTL_MOD).
func ChangeInEpoll(epoll, fd int, event *unix.EpollEvent) error {
	return controlEpoll(epoll, unix.EPOLL_CTL_MOD, fd, event)
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
