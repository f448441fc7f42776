package pidfd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/nonblock"
)

// Watcher reports the exits of processes. New makes it. Its methods may be called by
// any number of goroutines at once, Run by one.
type Watcher struct {
	poller *os.File // an epoll descriptor, which the runtime polls

	mu      sync.Mutex
	watches map[int32]*Watch // by pidfd; guarded by mu
}

// Watch is the watch over one process.
type Watch struct {
	watcher *Watcher
	fd      int32
	exited  func()
}

// New returns a watcher.
func New() (*Watcher, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // the runtime polls only non-blocking descriptors
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &Watcher{poller: os.NewFile(uintptr(fd), "epoll"), watches: make(map[int32]*Watch)}, nil
}

// Watch calls exited, once, when the process of the pidfd has exited, which may be at
// once. The watch closes the pidfd, even if Watch returns an error.
func (w *Watcher) Watch(fd int, exited func()) (*Watch, error) {
	x := &Watch{watcher: w, fd: int32(fd), exited: exited}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.add(fd); err != nil {
		unix.Close(fd)
		return nil, err
	}
	w.watches[x.fd] = x
	return x, nil
}

// add makes the poller report the exit of the process, once.
func (w *Watcher) add(fd int) error {
	raw, err := w.poller.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(poller uintptr) {
		failed = unix.EpollCtl(int(poller), unix.EPOLL_CTL_ADD, fd,
			&unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(fd)})
	})
	return errors.Join(err, os.NewSyscallError("epoll_ctl", failed))
}

// Stop ends the watch and closes its pidfd. It may be called again. The call of exited
// may be under way when it returns.
func (x *Watch) Stop() {
	w := x.watcher
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watches[x.fd] == x {
		delete(w.watches, x.fd)
		unix.Close(int(x.fd)) // which also removes it from the poller
	}
}

// Close closes a watcher that Run does not run.
func (w *Watcher) Close() error { return w.poller.Close() }

// HasExited reports whether the process has exited. It is true after Stop.
func (x *Watch) HasExited() bool {
	w := x.watcher
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.watches[x.fd] != x || HasExited(int(x.fd))
}

// HasExitedOr reports whether the process has exited, or the descriptor has one of the
// events of poll(2).
func (x *Watch) HasExitedOr(fd int, events int16) bool {
	w := x.watcher
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watches[x.fd] != x {
		return true
	}
	fds := []unix.PollFd{{Fd: x.fd, Events: unix.POLLIN}, {Fd: int32(fd), Events: events}}
	n, err := nonblock.Ready(fds)
	return err == nil && n > 0
}

// Run reports exits until ctx is done. Then it closes the watcher, and returns nil.
func (w *Watcher) Run(ctx context.Context) error {
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
			if x := w.exited(event.Fd); x != nil {
				x.exited()
			}
		}
	}
}

// exited returns the watch whose process has exited, nil if there is none: since the
// event the pidfd may have been closed and opened for another process.
func (w *Watcher) exited(fd int32) *Watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x := w.watches[fd]; x != nil && HasExited(int(fd)) {
		return x
	}
	return nil
}

// HasExited reports whether the process of the pidfd has exited (pidfd_open(2)).
func HasExited(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := nonblock.Ready(fds)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLIN != 0
}
