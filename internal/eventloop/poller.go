package eventloop

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/arrivals"
	"github.com/landmark-health/landmark/internal/nonblock"
)

// Event says that a socket can be read or written again.
type Event struct {
	Key      int  // of the socket
	Readable bool // something has arrived, or End
	End      bool // the peer has sent all, or the connection is broken
}

// Poller waits for sockets. It reports a change of a socket once, when it happens.
type Poller interface {
	// Wait calls serve whenever there may be events, until it returns true, and returns
	// nil. The error is os.ErrDeadlineExceeded once the deadline has passed.
	Wait(serve func() (enough bool)) error
	// Poll stores the latest events, without waiting, and returns how many. If they do not
	// fill events, there are no more.
	Poll(events []Event) int
	// Ignore makes the poller ignore events until serve returns false, so that they wake
	// nobody while the loop is at work. Then Wait calls serve once more, in which Ignore
	// does nothing and returns false.
	Ignore() (ignored bool)
	// SetDeadline sets the deadline of Wait, also of one that waits already; the zero Time
	// means none. It is safe for concurrent use.
	SetDeadline(time.Time) error
	// Close closes the poller, and no socket.
	Close() error
}

// epoll is the Poller outside of tests. The key of a socket is its descriptor.
type epoll struct {
	*arrivals.Arrivals // of events at fd
	fd                 int
	events             [maxEvents]unix.EpollEvent
}

func newEpoll() (*epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	e := &epoll{fd: fd}
	if _, err = e.wait(1); err == nil { // which fails if a sandbox forbids it
		e.Arrivals, err = arrivals.New(fd)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return e, nil
}

// Poll implements Poller.
func (e *epoll) Poll(events []Event) int {
	n, err := e.wait(min(len(events), maxEvents))
	if err != nil {
		return 0 // it cannot fail: it did not in newEpoll
	}
	for i, event := range e.events[:n] {
		end := event.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
		events[i] = Event{Key: int(event.Fd), Readable: end || event.Events&unix.EPOLLIN != 0, End: end}
	}
	return n
}

// wait stores at most n of the latest events in e.events, and returns how many. It does not
// block, and so it is never interrupted.
func (e *epoll) wait(n int) (int, error) {
	got, err := nonblock.PollEpoll(e.fd, e.events[:n])
	return got, os.NewSyscallError("epoll_pwait", err)
}

// add adds a descriptor. Closing it removes it.
func (e *epoll) add(fd int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", nonblock.AddToEpoll(e.fd, fd, &event))
}

// Close implements Poller.
func (e *epoll) Close() error {
	return errors.Join(e.Arrivals.Close(), os.NewSyscallError("close", nonblock.Close(e.fd)))
}
