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

// exits knows when the processes at the other ends of connections have ended. A
// child may have inherited the connection and hold it open, so that its end says
// nothing.
type exitWatcher struct {
	poller *os.File // an epoll descriptor, in Go's own poller

	mu      sync.Mutex
	watched map[int32]*connection // by the descriptor of its process; guarded by mu
}

func newExitWatcher() (*exitWatcher, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or Go would not poll it
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &exitWatcher{poller: os.NewFile(uintptr(fd), "epoll"), watched: make(map[int32]*connection)}, nil
}

// watch has the connection ended when its process has.
func (e *exitWatcher) watch(conn *connection) {
	process := -1
	var failed error
	err := conn.raw.Control(func(fd uintptr) {
		process, failed = openPidfd(int(fd))
	})
	switch {
	case err != nil:
		return
	case errors.Is(failed, unix.ESRCH):
		conn.shutRead() // it has ended, and its parent has seen it
		return
	case failed != nil:
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.add(process) != nil {
		unix.Close(process)
		return
	}
	conn.pidfd = int32(process)
	e.watched[conn.pidfd] = conn
}

// openPidfd returns a descriptor of the process that made the connection fd.
// The error is ESRCH if that process has ended and its parent has seen it.
func openPidfd(fd int) (int, error) {
	process, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if errors.Is(err, unix.ENOPROTOOPT) { // Linux before 6.5
		return openPidfdByPID(fd)
	}
	return process, err
}

// openPidfdByPID is openProcess by the number of the process, which another
// process may have by now. Then the one that made the connection has ended, and
// the connection ends with the other one instead of not at all.
func openPidfdByPID(fd int) (int, error) {
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return -1, err
	}
	if peer.Pid == 0 { // it is of a PID namespace that this process does not see
		return -1, errors.ErrUnsupported
	}
	return unix.PidfdOpen(int(peer.Pid), 0)
}

// add has the poller report the end of the process, once.
func (e *exitWatcher) add(process int) error {
	raw, err := e.poller.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.EpollCtl(int(fd), unix.EPOLL_CTL_ADD, process,
			&unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(process)})
	})
	return errors.Join(err, failed)
}

// unwatch closes the descriptor of the connection's process, if it has one.
func (e *exitWatcher) unwatch(conn *connection) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.watched[conn.pidfd] == conn {
		delete(e.watched, conn.pidfd)
		unix.Close(int(conn.pidfd)) // and the poller forgets it
	}
}

// run ends connections whose processes have ended, until ctx is done.
func (e *exitWatcher) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { e.poller.Close() })()
	raw, err := e.poller.SyscallConn()
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
			return fmt.Errorf("waiting for the end of processes: %w", err)
		case failed != nil && !errors.Is(failed, syscall.EINTR):
			return fmt.Errorf("waiting for the end of processes: %w", os.NewSyscallError("epoll_wait", failed))
		}
		for _, event := range events[:max(0, n)] {
			e.exited(event.Fd)
		}
	}
}

// exited ends the connection of the process.
func (e *exitWatcher) exited(process int32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	// The descriptor may be another process's since the event.
	if conn := e.watched[process]; conn != nil && hasExited(process) {
		conn.shutRead()
	}
}

// endSession reports whether the process has ended (pidfd_open(2)).
func hasExited(process int32) bool {
	fds := []unix.PollFd{{Fd: process, Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLIN != 0
}
