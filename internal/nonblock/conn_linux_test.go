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

// pair returns both ends of a connection.
func pair(t *testing.T) (a, b *Conn) {
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
	a, b = NewConn(dialled.(*net.UnixConn)), NewConn(accepted.(*net.UnixConn))
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// More than fits in the socket is written while the other end reads, and all arrives.
func TestConnCarriesBytes(t *testing.T) {
	a, b := pair(t)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	written := make(chan error, 1)
	go func() {
		n, err := a.Write(sent)
		if err == nil && n != len(sent) {
			err = io.ErrShortWrite
		}
		written <- errors.Join(err, a.CloseWrite())
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
func TestConnErrors(t *testing.T) {
	a, b := pair(t)
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
