package lmp

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// datagrams is a UDP socket that knows to which of the host's addresses each
// datagram was sent, so that the answer can leave from there: a checker takes
// no answer from an address that it did not ask, and a virtual address must
// not answer by a real one.
type datagrams struct {
	*net.UDPConn
}

// listenDatagrams binds the address's host at the given port.
func listenDatagrams(address string, port int) (*datagrams, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	at, err := net.ResolveUDPAddr("udp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", at)
	if err != nil {
		return nil, err
	}
	if err := requestDestinations(conn); err != nil {
		conn.Close()
		return nil, fmt.Errorf("asking the kernel for the addresses that datagrams are sent to: %w", err)
	}
	return &datagrams{conn}, nil
}

// requestDestinations makes the kernel deliver each datagram's destination.
func requestDestinations(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		domain, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err == nil && domain == unix.AF_INET6 {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
		if err == nil {
			// A socket of both families gets IPv4 datagrams too, and only
			// IP_PKTINFO tells a broadcast from an address of the host's.
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		}
		failed = os.NewSyscallError("setsockopt", err)
	})
	if err != nil {
		return err
	}
	return failed
}

// datagram is one received datagram.
type datagram struct {
	data        []byte // a view into the reader's buffer
	from        netip.AddrPort
	destination destination
}

// reader is the room that one goroutine reads datagrams into.
type reader struct {
	data    [65536]byte
	control [128]byte
}

// read waits for the next datagram. What it returns is valid until the next
// read with the same reader. It allocates nothing.
func (d *datagrams) read(r *reader) (datagram, error) {
	n, oobn, _, from, err := d.ReadMsgUDPAddrPort(r.data[:], r.control[:])
	if err != nil {
		return datagram{}, err
	}
	return datagram{r.data[:n], from, parseDestination(r.control[:oobn])}, nil
}

// write sends an answer from the address that was asked.
func (d *datagrams) write(answer []byte, to netip.AddrPort, from destination) error {
	var control [64]byte
	_, _, err := d.WriteMsgUDPAddrPort(answer, from.append(control[:0]), to)
	return err
}
