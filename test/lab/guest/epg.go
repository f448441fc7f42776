package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// epgConn is a connection to an EPG server.
type epgConn struct{ *os.File }

// dialEPG begins to connect to an EPG server through the service, and returns at once. The calling thread must be in the
// clients' namespace; any other may use the connection. The first read or write waits until it is established. The deadline
// is for the connection and all that is done on it.
func dialEPG(v virtualService, deadline time.Time) (epgConn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return epgConn{}, fmt.Errorf("opening a socket: %w", err)
	}
	// Choose the port at the connect: then a port is free if no connection to the same server uses it.
	err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: netip.MustParseAddr(v.client).As4()})
	}
	if err != nil {
		unix.Close(fd)
		return epgConn{}, fmt.Errorf("binding to %s: %w", v.client, err)
	}
	address := v.addrPort()
	err = unix.Connect(fd, &unix.SockaddrInet4{Addr: address.Addr().As4(), Port: int(address.Port())})
	if err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return epgConn{}, fmt.Errorf("connecting to %s: %w", address, err)
	}
	conn := epgConn{os.NewFile(uintptr(fd), address.String())}
	return conn, conn.SetDeadline(deadline)
}

// The EPG protocol of examples/epgd, as a client speaks it:
//
//	request   magic 45 50 47 31, channel (2), seconds since 1970 (8)
//	answer    magic, 0 = found (1), start (8), duration (4), length of the title (1), title
const (
	epgMagic   = 0x45504731
	epgChannel = 1
	epgFound   = 0
)

// request requests the programme that is on channel 1 now.
func (c epgConn) request() error {
	if err := c.send(); err != nil {
		return err
	}
	return c.receive()
}

// send sends the request.
func (c epgConn) send() error {
	request := binary.BigEndian.AppendUint32(nil, epgMagic)
	request = binary.BigEndian.AppendUint16(request, epgChannel)
	request = binary.BigEndian.AppendUint64(request, uint64(time.Now().Unix()))
	if _, err := c.Write(request); err != nil {
		return fmt.Errorf("asking for a programme: %w", err)
	}
	return nil
}

// receive waits for the answer.
func (c epgConn) receive() error {
	var head [18]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if binary.BigEndian.Uint32(head[:]) != epgMagic || head[4] != epgFound {
		return fmt.Errorf("got % x, want a programme", head)
	}
	if _, err := io.CopyN(io.Discard, c, int64(head[17])); err != nil {
		return fmt.Errorf("reading the title: %w", err)
	}
	return nil
}
