package sdnotify

import (
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// linger is how long the last close of a lingering socket takes.
const linger = time.Minute

// lingering returns a TCP socket whose last close takes that long: the peer does not
// read what was sent to it.
func lingering(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	for err = nil; err == nil; {
		err = unix.Sendto(fd, []byte(strings.Repeat("x", 1<<16)), unix.MSG_DONTWAIT, nil)
	}
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: int32(linger / time.Second)}); err != nil {
		t.Fatal(err)
	}
	return fd
}

// A sender cannot stop the receiver by a descriptor whose close waits.
func TestLingeringDescriptor(t *testing.T) {
	for _, n := range []int{1, 10} {
		l := newListener(t)
		var fds []int
		for range n {
			fds = append(fds, lingering(t))
		}
		send(t, l.path, "READY=1", fds...)
		// The receiver's close is the last one.
		for _, fd := range fds {
			unix.Close(fd)
		}
		send(t, l.path, "STATUS=after")
		begun := time.Now()
		done := make(chan []received)
		go func() { done <- l.take() }()
		select {
		case got := <-done:
			if len(got) != 2 {
				t.Errorf("%d descriptors: got %+v, want two datagrams", n, got)
			}
			t.Logf("%d descriptors: received in %v", n, time.Since(begun))
		case <-time.After(linger / 2):
			t.Fatalf("%d descriptors: the receiver waits until they are closed", n)
		}
	}
}
