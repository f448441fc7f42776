package socket

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

// limited is a listener whose connections have places, of which there are so
// many.
type limited struct {
	net.Listener
	places  chan struct{} // as full as places are taken
	refused func()
}

// Limit returns a listener that has at most n of l's connections open. One
// beyond them is closed at once, so that its client sees that it is refused
// and nobody waits in the queue behind it; refused is called for each, by the
// goroutine that accepts. A place is given back when its connection is closed.
func Limit(l net.Listener, n int, refused func()) net.Listener {
	return &limited{Listener: l, places: make(chan struct{}, n), refused: refused}
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.places <- struct{}{}:
			return &placed{Conn: conn, leave: sync.OnceFunc(func() { <-l.places })}, nil
		default:
			l.refused()
			conn.Close()
		}
	}
}

// placed is a connection that has one of the places.
type placed struct {
	net.Conn
	leave func()
}

// Close closes the connection and gives its place back, in this order: its
// descriptor is one of those that the places are counted by.
func (c *placed) Close() error {
	err := c.Conn.Close()
	c.leave()
	return err
}

// SyscallConn implements syscall.Conn, as far as the connection below does.
func (c *placed) SyscallConn() (syscall.RawConn, error) {
	conn, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return conn.SyscallConn()
}
