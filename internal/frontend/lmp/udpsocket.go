package lmp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/arrivals"
	"github.com/landmark-health/landmark/internal/nonblock"
)

// udpSocket is a UDP socket that knows which of the host's addresses each
// datagram was sent to. The answer leaves from that address: a checker accepts no
// answer from another, and a request to a virtual address must not be answered
// from a real one.
type udpSocket struct {
	addr     net.Addr
	file     *os.File // of the socket
	raw      syscall.RawConn
	arrivals *arrivals.Arrivals
}

// listenUDP binds the address's host at the given port.
func listenUDP(address string, port int) (*udpSocket, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	local, err := net.ResolveUDPAddr("udp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", local)
	if err != nil {
		return nil, err
	}
	return newUDPSocket(conn)
}

// newUDPSocket returns a udpSocket that is conn's. It takes conn over and closes it,
// because Go's poller has it: see package arrivals.
func newUDPSocket(conn *net.UDPConn) (*udpSocket, error) {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	u := &udpSocket{addr: conn.LocalAddr()}
	if e := raw.Control(func(fd uintptr) { u.file, err = nonblock.Detach(fd, "udp") }); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	if u.raw, err = u.file.SyscallConn(); err == nil {
		err = u.control(func(fd uintptr) (err error) {
			if err = prepareUDP(fd); err == nil {
				u.arrivals, err = arrivals.New(int(fd))
			}
			return err
		})
	}
	if err != nil {
		u.file.Close()
		return nil, err
	}
	return u, nil
}

// control calls f with the descriptor, which is not closed meanwhile.
func (u *udpSocket) control(f func(fd uintptr) error) error {
	var failed error
	if err := u.raw.Control(func(fd uintptr) { failed = f(fd) }); err != nil {
		return err
	}
	return failed
}

// send sends the answer to d from the address that d was sent to. It does not wait: the
// error is unix.EAGAIN if the socket has no room.
func (u *udpSocket) send(answer []byte, d datagram) error {
	return u.control(func(fd uintptr) error { return sendAlone(fd, answer, d.client, d.destination) })
}

// Close closes the socket. What waits for its arrivals gets an error. If it is closed
// already, the error is net.ErrClosed, as for the sockets of package net.
func (u *udpSocket) Close() error {
	err := errors.Join(u.arrivals.Close(), u.file.Close())
	if errors.Is(err, os.ErrClosed) {
		return net.ErrClosed
	}
	return err
}

// sendBuffer is the size in bytes of the socket's memory for answers that the kernel has
// not sent, as far as the kernel grants it. Those to one neighbor that does not say its
// link-layer address have by default 212,992 bytes, as much as all of a socket
// (arp(7), unres_qlen_bytes; socket(7), wmem_default).
const sendBuffer = 4 << 20

// prepareUDP checks that the socket can do what this package needs, and sets its options.
func prepareUDP(fd uintptr) error {
	if err := checkTransfers(fd); err != nil {
		return err
	}
	if err := requestDestinations(fd); err != nil {
		return fmt.Errorf("asking the kernel for the destination of each datagram: %w", err)
	}
	if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil { // needs CAP_NET_ADMIN
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer) // up to wmem_max
	}
	return nil
}

// requestDestinations makes the kernel deliver each datagram's destination.
func requestDestinations(fd uintptr) error {
	domain, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err == nil && domain == unix.AF_INET6 {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	if err == nil {
		// A dual-stack socket receives IPv4 datagrams too, and only IP_PKTINFO
		// distinguishes a broadcast from an address of the host.
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	return os.NewSyscallError("setsockopt", err)
}
