package eventloop

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/nonblock"
)

const (
	// The delay before the next try after an error. It doubles from the minimum to the
	// maximum.
	minRetryDelay = 5 * time.Millisecond
	maxRetryDelay = 500 * time.Millisecond
)

// Listener accepts the connections of a socket that listens.
type Listener struct {
	conn    Conn
	loop    *Loop
	fd      int
	handler ListenHandler
	delay   time.Duration
	peer    unix.RawSockaddrAny // of the latest connection
}

// ListenHandler takes the connections of a Listener.
type ListenHandler interface {
	// Accepted takes a connection, of which nothing is in the loop yet.
	Accepted(s Socket, key int, from netip.Addr)
	// AcceptFailed takes the error for which no connection can be accepted at present. The
	// Listener tries again, whatever the error is: most pass, such as ENOBUFS, EMFILE or
	// the EPERM of a firewall.
	AcceptFailed(error)
}

// Listen makes the loop accept the connections of tcp, until it ends. It takes tcp over
// and closes it, because Go's poller must not wake up for the same connections. Call it
// before Run.
func (l *Loop) Listen(tcp *net.TCPListener, h ListenHandler) error {
	defer tcp.Close()
	file, err := tcp.File() // a copy of the descriptor
	if err != nil {
		return err
	}
	defer file.Close()
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	listener := &Listener{loop: l, handler: h, delay: minRetryDelay}
	if e := raw.Control(func(fd uintptr) {
		// File's own descriptor is in Go's poller too. This one is in the loop's alone.
		listener.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	}); e != nil {
		return e
	}
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if err := l.Add(&listener.conn, descriptor(listener.fd), listener.fd, listener); err != nil {
		unix.Close(listener.fd)
		return err
	}
	listener.conn.first = true
	listener.conn.Queue() // connections may wait already, of which no event tells
	return nil
}

// Ready implements Handler. It accepts until the round has taken long.
func (l *Listener) Ready() {
	for {
		for range roundCheck {
			if !l.accept() {
				return
			}
		}
		if l.loop.Late(maxRound) {
			l.conn.Queue()
			return
		}
	}
}

// accept accepts a connection. It reports whether there may be another.
func (l *Listener) accept() bool {
	fd, err := nonblock.Accept(l.fd, &l.peer)
	switch err {
	case nil:
		l.delay = minRetryDelay
		l.handler.Accepted(descriptor(fd), fd, addressOf(&l.peer))
		return true
	case unix.EINTR, unix.ECONNABORTED:
		return true
	case unix.EAGAIN:
		return false
	}
	l.handler.AcceptFailed(os.NewSyscallError("accept4", err))
	l.conn.SetDeadline(l.loop.now + l.delay)
	l.delay = min(2*l.delay, maxRetryDelay)
	return false
}

// Due implements Handler: it is time for the next try.
func (l *Listener) Due() { l.Ready() }

// Close implements Handler.
func (l *Listener) Close() error { return l.conn.Close() }

// addressOf returns the peer's address. One of IPv4 that is mapped to IPv6 is returned as
// IPv4.
func addressOf(peer *unix.RawSockaddrAny) netip.Addr {
	switch peer.Addr.Family {
	case unix.AF_INET:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(peer)).Addr)
	case unix.AF_INET6:
		peer := (*unix.RawSockaddrInet6)(unsafe.Pointer(peer))
		from := netip.AddrFrom16(peer.Addr).Unmap()
		if peer.Scope_id != 0 && from.Is6() {
			return from.WithZone(zoneName(int(peer.Scope_id)))
		}
		return from
	}
	return netip.Addr{}
}

// zoneName returns the name of the interface, as package net has it in an address.
func zoneName(index int) string {
	if i, err := net.InterfaceByIndex(index); err == nil {
		return i.Name
	}
	return strconv.Itoa(index)
}
