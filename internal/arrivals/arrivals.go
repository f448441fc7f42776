// Package arrivals waits for what arrives at a descriptor, such as datagrams at a socket, and
// ignores it while there is enough to do.
//
// It waits in Go's poller, by an epoll descriptor that has the other one. If that itself were
// in Go's poller, each arrival would wake the thread of the runtime that waits there, also
// while the goroutine that waited is at work. The thread has nothing to do then, and would
// take a processor from that goroutine, or from those who wait for its answers.
package arrivals

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/nonblock"
)

// Arrivals is what arrives at a descriptor that can be read then. Its methods are for one
// goroutine, except SetDeadline and Close.
type Arrivals struct {
	file    *os.File // of the epoll descriptor, in Go's poller
	raw     syscall.RawConn
	handle  func() (enough bool) // of Wait
	read    func(uintptr) bool   // calls it
	epoll   int                  // the number of file's descriptor
	fd      int                  // of the arrivals
	event   unix.EpollEvent      // of fd
	repeats bool                 // see kernelRepeats
	polled  [1]unix.EpollEvent   // by arrived
	ignored bool
	noticed bool // they were ignored, and handle is called for what has arrived meanwhile
}

// New returns the arrivals at the descriptor. The caller calls Close before it closes that.
func New(fd int) (*Arrivals, error) {
	epoll, err := nonblock.OpenEpoll()
	if err != nil {
		return nil, err
	}
	a := &Arrivals{file: epoll, fd: fd, event: unix.EpollEvent{Events: unix.EPOLLIN}}
	a.read = func(uintptr) bool { return a.handleAll() }
	if a.raw, err = epoll.SyscallConn(); err == nil {
		err = a.raw.Control(func(epoll uintptr) { a.epoll = int(epoll) })
	}
	if err == nil {
		err = os.NewSyscallError("epoll_ctl", nonblock.AddToEpoll(a.epoll, fd, &a.event))
	}
	if err == nil { // a sandbox may forbid it, which set would not notice
		err = os.NewSyscallError("epoll_ctl", nonblock.ChangeInEpoll(a.epoll, fd, &a.event))
	}
	if err == nil {
		a.repeats, err = kernelRepeats()
	}
	if err != nil {
		a.file.Close()
		return nil, err
	}
	return a, nil
}

// Wait calls handle, which handles what has arrived, and again each time that something has
// arrived since, until handle returns true. The error is os.ErrDeadlineExceeded once the
// deadline has passed, or that a is closed.
func (a *Arrivals) Wait(handle func() (enough bool)) error {
	a.handle = handle
	return a.raw.Read(a.read)
}

// handleAll calls handle until nothing has arrived since, and returns false then. If arrivals
// were ignored it calls handle once more, and not again: else it might never come to a wait.
func (a *Arrivals) handleAll() (enough bool) {
	defer func() { a.noticed = false }()
	for !a.handle() {
		switch {
		case a.ignored:
			a.set(unix.EPOLLIN)
			a.ignored, a.noticed = false, true
		case a.repeats || !a.arrived():
			return false
		case a.noticed:
			a.announce()
			return false
		}
	}
	return true
}

// arrived reports whether there is an arrival that is not ignored. If there is none, the
// epoll descriptor forgets the one before, and says that there is another.
func (a *Arrivals) arrived() bool {
	n, _ := nonblock.PollEpoll(a.epoll, a.polled[:]) // which fails only if the descriptor is not there
	return n > 0
}

// announce makes the epoll descriptor say that something has arrived, although it may have
// said so already.
func (a *Arrivals) announce() {
	if nonblock.RemoveFromEpoll(a.epoll, a.fd) == nil {
		_ = nonblock.AddToEpoll(a.epoll, a.fd, &a.event) // fails only if there is no memory
	}
}

// Ignore makes the Arrivals ignore what arrives from now on, until handle returns false. Then
// handle is called once more, in which Ignore does nothing and returns false: so it comes to a
// wait now and then, in which Go's scheduler runs what else is ready. Only handle calls Ignore.
func (a *Arrivals) Ignore() (ignored bool) {
	if !a.ignored && !a.noticed {
		a.set(0)
		a.ignored = true
	}
	return a.ignored
}

// set sets for which events of the descriptor the wait ends.
func (a *Arrivals) set(events uint32) {
	a.event.Events = events
	_ = nonblock.ChangeInEpoll(a.epoll, a.fd, &a.event) // fails only if the descriptor is not there
}

// SetDeadline sets the deadline of Wait, also of one that waits already; the zero Time means
// none. It is safe for concurrent use.
func (a *Arrivals) SetDeadline(t time.Time) error { return a.file.SetReadDeadline(t) }

// Close ends Wait. It is safe for concurrent use.
func (a *Arrivals) Close() error { return a.file.Close() }
