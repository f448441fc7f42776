package nonblock

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// kinds make the connections of this package.
var kinds = map[string]func(*net.UnixConn) (net.Conn, error){
	"Conn":      func(c *net.UnixConn) (net.Conn, error) { return NewConn(c), nil },
	"QuietConn": func(c *net.UnixConn) (net.Conn, error) { return NewQuietConn(c) },
}

// forPairs runs the test with both ends of a connection of each kind.
func forPairs(t *testing.T, test func(t *testing.T, a, b net.Conn)) {
	for kind, make := range kinds {
		t.Run(kind, func(t *testing.T) {
			a, b := pair(t, make)
			test(t, a, b)
		})
	}
}

// pair returns both ends of a connection.
func pair(t *testing.T, make func(*net.UnixConn) (net.Conn, error)) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if a, err = make(dialled.(*net.UnixConn)); err == nil {
		b, err = make(accepted.(*net.UnixConn))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// More than fits in the socket is written while the other end reads, and all arrives.
func TestConnCarriesBytes(t *testing.T) { forPairs(t, testCarriesBytes) }

func testCarriesBytes(t *testing.T, a, b net.Conn) {
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	written := make(chan error, 1)
	go func() {
		n, err := a.Write(sent)
		if err == nil && n != len(sent) {
			err = io.ErrShortWrite
		}
		written <- errors.Join(err, a.Close())
	}()
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes, %v; want %d", len(got), err, len(sent))
	}
	if err := <-written; err != nil {
		t.Errorf("writing: %v", err)
	}
}

// Deadlines, the close and the end of the peer have the same errors as in package net.
func TestConnErrors(t *testing.T) { forPairs(t, testErrors) }

func testErrors(t *testing.T, a, b net.Conn) {
	buffer := make([]byte, 8)
	a.SetReadDeadline(time.Now())
	if _, err := a.Read(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: got %v, want %v", err, os.ErrDeadlineExceeded)
	}
	a.SetReadDeadline(time.Time{})
	if n, err := a.Read(nil); n != 0 || err != nil {
		t.Errorf("reading into nothing: got %d, %v", n, err)
	}
	read := make(chan error, 1)
	go func() { _, err := a.Read(buffer); read <- err }()
	b.Close()
	if err := <-read; err != io.EOF {
		t.Errorf("reading when the peer has closed: got %v, want %v", err, io.EOF)
	}
	_, err := a.Write(buffer)
	var op *net.OpError
	if !errors.Is(err, syscall.EPIPE) || !errors.As(err, &op) || op.Op != "write" {
		t.Errorf("writing when the peer has closed: got %v, want %v of a write", err, syscall.EPIPE)
	}
	a.Close()
	if _, err := a.Read(buffer); !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading when closed: got %v, want %v", err, net.ErrClosed)
	}
	if _, err := a.Write(buffer); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing when closed: got %v, want %v", err, net.ErrClosed)
	}
}

// A Write that waits for room ends with the deadline, and with Close.
func TestQuietConnEndsAWaitForRoom(t *testing.T) {
	full := bytes.Repeat([]byte("x"), 1<<22) // more than a socket takes
	a, _ := pair(t, kinds["QuietConn"])
	a.SetWriteDeadline(time.Now().Add(time.Millisecond))
	if n, err := a.Write(full); n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: wrote %d, %v; want some bytes and %v", n, err, os.ErrDeadlineExceeded)
	}
	a.SetWriteDeadline(time.Time{})
	written := make(chan error, 1)
	go func() { _, err := a.Write(full); written <- err }()
	a.Close()
	if err := <-written; !errors.Is(err, net.ErrClosed) {
		t.Errorf("when closed: got %v, want %v", err, net.ErrClosed)
	}
}

// A QuietConn wakes up for what arrives, and not because its peer has read.
func TestQuietConnWakesUpForArrivals(t *testing.T) {
	conn, peer := pair(t, kinds["QuietConn"])
	a := conn.(*QuietConn)
	woken := make(chan bool)
	go a.arrived.Read(func(uintptr) bool { // called at first, and then for each event
		var n int
		a.raw.Control(func(fd uintptr) { n, _ = Unread(int(fd)) })
		woken <- n > 0
		return n > 0
	})
	if <-woken {
		t.Fatal("there is something to read before anything was sent")
	}
	buffer := make([]byte, 8)
	a.Write(buffer)
	if _, err := io.ReadFull(peer, buffer); err != nil {
		t.Fatal(err)
	}
	peer.Write(buffer)
	if !<-woken {
		t.Error("woke up because the peer has read")
	}
}
