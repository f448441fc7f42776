package arrivals

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/landmark-health/landmark/internal/nonblock"
)

// openPair returns both ends of a connection.
func openPair() (a, b *Conn, close func(), err error) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return nil, nil, nil, err
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		return nil, nil, nil, err
	}
	defer l.Close()
	dialled, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		return nil, nil, nil, err
	}
	accepted, err := l.Accept()
	if err != nil {
		return nil, nil, nil, err
	}
	if a, err = NewConn(dialled.(*net.UnixConn)); err == nil {
		b, err = NewConn(accepted.(*net.UnixConn))
	}
	return a, b, func() { a.Close(); b.Close() }, err
}

func pair(t *testing.T) (a, b *Conn) {
	t.Helper()
	a, b, close, err := openPair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(close)
	return a, b
}

// A Conn does what each net.Conn does.
func TestConn(t *testing.T) {
	nettest.TestConn(t, func() (a, b net.Conn, close func(), err error) { return openPair() })
}

// Its errors are those of package net.
func TestConnErrors(t *testing.T) {
	a, b := pair(t)
	buffer := make([]byte, 8)
	b.Close()
	if _, err := a.Read(buffer); err != io.EOF {
		t.Errorf("reading after the peer's close: got %v, want %v", err, io.EOF)
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
func TestConnEndsAWaitForRoom(t *testing.T) {
	full := bytes.Repeat([]byte("x"), 1<<22) // more than a socket takes
	a, _ := pair(t)
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

// A Conn wakes up for what arrives, and not because its peer has read.
func TestConnWakesUpForArrivals(t *testing.T) {
	a, peer := pair(t)
	woken := make(chan bool)
	go a.arrivals.Wait(func() bool { // called at first, and then for each event
		var n int
		a.raw.Control(func(fd uintptr) { n, _ = nonblock.Unread(int(fd)) })
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
