package lmp

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/nonblock"
)

// arrivals waits for datagrams: in Go's poller, by an epoll descriptor that has the socket.
// While the loop has enough to do, it ignores them. If the socket itself were in Go's poller,
// each datagram that comes, and each that is sent, would wake the thread of the runtime that
// waits there. That has nothing to do, and would take a processor from the loop or from its
// checkers: a third of the time of an answer.
type arrivals struct {
	file    *os.File // of the epoll descriptor, in Go's poller
	raw     syscall.RawConn
	socket  uintptr
	event   unix.EpollEvent // of the socket
	ignored bool
}

// newArrivals returns the arrivals of the socket. The caller calls close before it closes
// the socket.
func newArrivals(socket uintptr) (*arrivals, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that os.NewFile gives it to Go's poller
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	a := &arrivals{file: os.NewFile(uintptr(fd), "epoll"), socket: socket, event: unix.EpollEvent{Events: unix.EPOLLIN}}
	if err = a.file.SetDeadline(time.Time{}); err == nil { // which fails if Go's poller does not have it
		err = os.NewSyscallError("epoll_ctl", nonblock.AddToEpoll(fd, int(socket), &a.event))
	}
	if err == nil { // a sandbox may forbid it, which set would not notice
		err = os.NewSyscallError("epoll_ctl", nonblock.ChangeInEpoll(fd, int(socket), &a.event))
	}
	if err == nil {
		a.raw, err = a.file.SyscallConn()
	}
	if err != nil {
		a.file.Close()
		return nil, err
	}
	return a, nil
}

// wait calls receive, and again each time that datagrams have arrived that are not ignored,
// until it returns true. The error is os.ErrDeadlineExceeded once the deadline has passed,
// or that a is closed.
func (a *arrivals) wait(receive func(epoll uintptr) bool) error { return a.raw.Read(receive) }

// ignore makes a ignore what arrives from now on.
func (a *arrivals) ignore(epoll uintptr) { a.set(epoll, true) }

// notice makes a notice it again. It reports whether a ignored it: then something may have
// arrived meanwhile, for which the wait does not end.
func (a *arrivals) notice(epoll uintptr) (ignored bool) { return a.set(epoll, false) }

// set reports whether that is a change.
func (a *arrivals) set(epoll uintptr, ignore bool) (changed bool) {
	if a.ignored == ignore {
		return false
	}
	a.ignored, a.event.Events = ignore, unix.EPOLLIN
	if ignore {
		a.event.Events = 0
	}
	_ = nonblock.ChangeInEpoll(int(epoll), int(a.socket), &a.event) // fails only if the socket is not there
	return true
}

// setDeadline sets the deadline of wait, also of one that waits already; the zero Time
// means none. It is safe for concurrent use.
func (a *arrivals) setDeadline(t time.Time) error { return a.file.SetReadDeadline(t) }

// close ends wait.
func (a *arrivals) close() error { return a.file.Close() }
