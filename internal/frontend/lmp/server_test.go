package lmp

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The error names the port, and New leaves nothing bound.
func TestNewFailsOnTakenPort(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		for _, host := range []string{"127.0.0.1", ""} {
			s, err := New(complete(Config{Address: "127.0.0.1:0"}))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			port := strconv.Itoa(s.Addr().(*net.TCPAddr).Port)
			if network == "udp" {
				s.tcp.loop.Close() // so that only UDP is taken
			} else {
				s.udp.Close()
			}
			second, err := New(complete(Config{Address: net.JoinHostPort(host, port)}))
			if err == nil {
				second.Close()
				t.Fatalf("%s port %s was bound twice", network, port)
			}
			if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), network) || !strings.Contains(err.Error(), ":"+port) {
				t.Errorf("%s port %s is taken, and the error is %v", network, port, err)
			}
			other := map[string]string{"udp": "tcp", "tcp": "udp"}[network]
			if !free(other, net.JoinHostPort("127.0.0.1", port)) {
				t.Errorf("%s port %s is still bound", other, port)
			}
		}
	}
}

// free reports whether the address can be bound.
func free(network, address string) bool {
	if network == "tcp" {
		l, err := net.Listen(network, address)
		if err == nil {
			l.Close()
		}
		return err == nil
	}
	conn, err := net.ListenPacket(network, address)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// A program that sets SO_REUSEPORT cannot take a part of the requests.
func TestPortIsNotShared(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	for name, socket := range map[string]int{"UDP": unix.SOCK_DGRAM, "TCP": unix.SOCK_STREAM} {
		fd, err := unix.Socket(unix.AF_INET, socket|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		for _, option := range []int{unix.SO_REUSEADDR, unix.SO_REUSEPORT} {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 1); err != nil {
				t.Fatal(err)
			}
		}
		addr := s.Addr().(*net.TCPAddr).AddrPort()
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}); err == nil && socket == unix.SOCK_STREAM {
			err = unix.Listen(fd, 1) // where TCP checks
			if !errors.Is(err, unix.EADDRINUSE) {
				t.Errorf("%s: listening too: %v", name, err)
			}
		} else if !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("%s: binding too: %v", name, err)
		}
	}
}

func TestNewRejectsInvalidAddress(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536"} {
		s, err := New(complete(Config{Address: address}))
		if err == nil {
			s.Close()
			t.Errorf("%q was bound", address)
		} else if !strings.Contains(err.Error(), "port") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestCloseWithoutRunFreesPort(t *testing.T) {
	s, err := New(complete(Config{Address: "127.0.0.1:0"}))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, network := range []string{"udp", "tcp"} {
		if !free(network, s.Addr().String()) {
			t.Errorf("%s %v is still bound", network, s.Addr())
		}
	}
	if err := s.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed twice: %v, want net.ErrClosed", err)
	}
}

func TestStopFreesPort(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	conn := s.connect(t) // idle
	s.stop()
	wantClosed(t, conn)
	again := serve(t, Config{Address: s.Addr().String(), Source: r})
	again.wantAnswerAt(t, again.addr("127.0.0.1"))
}
