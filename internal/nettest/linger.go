package nettest

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Linger is how long the last close of a descriptor of LingeringSocket takes.
const Linger = time.Minute

// LingeringSocket returns the descriptor of a TCP socket whose last close takes Linger:
// the peer does not read what was sent to it. The caller closes it.
func LingeringSocket(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = syscall.Write(fd, []byte(strings.Repeat("x", 1<<16)))
	}
	if err := syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1, Linger: int32(Linger / time.Second)}); err != nil {
		t.Fatal(err)
	}
	return fd
}
