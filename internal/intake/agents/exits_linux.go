package agents

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// exitWatcher ends the connection of each process that exits. The kernel does not
// always do that: a child that inherited the connection holds it open.
type exitWatcher struct {
	poller *os.File // an epoll descriptor, which the runtime polls

	mu      sync.Mutex
	watched map[int32]*connection // by pidfd; guarded by mu
}

func newExitWatcher() (*exitWatcher, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // the runtime polls only non-blocking descriptors
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &exitWatcher{poller: os.NewFile(uintptr(fd), "epoll"), watched: make(map[int32]*connection)}, nil
}

// watch ends the connection once its process has exited.
func (w *exitWatcher) watch(conn *connection) {
	pidfd := -1
	var failed error
	err := conn.raw.Control(func(fd uintptr) {
		pidfd, failed = openPidfd(int(fd))
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
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.add(pidfd) != nil {
		unix.Close(pidfd)
		return
	}
	conn.pidfd = int32(pidfd)
	w.watched[conn.pidfd] = conn
}

// openPidfd returns a pidfd of the process that opened the connection fd. The error
// is ESRCH if that process has exited and its parent has waited for it.
func openPidfd(fd int) (int, error) {
	pidfd, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if errors.Is(err, unix.ENOPROTOOPT) { // Linux before 6.5
		return openPidfdByPID(fd)
	}
	return pidfd, err
}

// openPidfdByPID is openPidfd by the process ID, which another process may have by
// now. Then the process that opened the connection has exited, and the connection
// ends when the other process exits.
func openPidfdByPID(fd int) (int, error) {
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return -1, err
	}
	if peer.Pid == 0 { // it is in a PID namespace that this process cannot see
		return -1, errors.ErrUnsupported
	}
	return unix.PidfdOpen(int(peer.Pid), 0)
}

// add makes the poller report the exit of the process, once.
func (w *exitWatcher) add(pidfd int) error {
	raw, err := w.poller.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.EpollCtl(int(fd), unix.EPOLL_CTL_ADD, pidfd,
			&unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(pidfd)})
	})
	return errors.Join(err, failed)
}

// unwatch closes the pidfd of the connection, if it has one.
func (w *exitWatcher) unwatch(conn *connection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched[conn.pidfd] == conn {
		delete(w.watched, conn.pidfd)
		unix.Close(int(conn.pidfd)) // which also removes it from the poller
	}
}

// run ends the connections of processes that exit, until ctx is done.
func (w *exitWatcher) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { w.poller.Close() })()
	raw, err := w.poller.SyscallConn()
	if err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 64)
	for {
		var n int
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			n, failed = unix.EpollWait(int(fd), events, 0)
			return n != 0
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("waiting for processes to exit: %w", err)
		case failed != nil && !errors.Is(failed, syscall.EINTR):
			return fmt.Errorf("waiting for processes to exit: %w", os.NewSyscallError("epoll_wait", failed))
		}
		for _, event := range events[:max(0, n)] {
			w.exited(event.Fd)
		}
	}
}

// exited ends the connection of the process.
func (w *exitWatcher) exited(pidfd int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// Since the event the pidfd may have been closed and opened for another process.
	if conn := w.watched[pidfd]; conn != nil && hasExited(pidfd) {
		conn.shutRead()
	}
}

// hasExited reports whether the process has exited (pidfd_open(2)).
func hasExited(pidfd int32) bool {
	fds := []unix.PollFd{{Fd: pidfd, Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLIN != 0
}
