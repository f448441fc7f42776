package arrivals

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// kernelRepeats reports whether the kernel's epoll says for each arrival at a descriptor that it has
// arrived, to another epoll descriptor that has the one with the descriptor. Linux does.
// gVisor does so only after somebody has looked at the first epoll descriptor and found it
// empty. To look costs a system call, which Linux is spared.
func kernelRepeats() (bool, error) {
	var fds [2]int // the arrivals are at a pipe
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		return false, os.NewSyscallError("pipe2", err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	inner, err := epollOf(fds[0], unix.EPOLLIN)
	if err != nil {
		return false, err
	}
	defer unix.Close(inner)
	outer, err := epollOf(inner, unix.EPOLLIN|unix.EPOLLET) // as in Go's poller
	if err != nil {
		return false, err
	}
	defer unix.Close(outer)
	var said int
	for range 2 {
		b := []byte{0}
		_, failed := unix.Write(fds[1], b)
		n, err := unix.EpollWait(outer, make([]unix.EpollEvent, 1), 0)
		if err = errors.Join(failed, err); err != nil {
			return false, err
		}
		said += n
		if _, err := unix.Read(fds[0], b); err != nil {
			return false, err
		}
	}
	return said == 2, nil
}

// epollOf returns a new epoll descriptor that has fd.
func epollOf(fd int, events uint32) (int, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return 0, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events}); err != nil {
		unix.Close(epoll)
		return 0, os.NewSyscallError("epoll_ctl", err)
	}
	return epoll, nil
}
