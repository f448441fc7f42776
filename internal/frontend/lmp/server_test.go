package lmp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// A port that is taken, for UDP or for TCP, is an error that names it, and
// nothing stays bound.
func TestTakenPort(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		for _, host := range []string{"127.0.0.1", ""} {
			s, err := New(Config{Address: "127.0.0.1:0"})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			port := strconv.Itoa(s.Addr().(*net.TCPAddr).Port)
			if network == "udp" {
				s.tcp.Close() // leaves UDP alone as the one that is taken
			} else {
				s.udp.Close()
			}
			second, err := New(Config{Address: net.JoinHostPort(host, port)})
			if err == nil {
				second.Close()
				t.Fatalf("%s port %s was taken twice", network, port)
			}
			if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), network) || !strings.Contains(err.Error(), ":"+port) {
				t.Errorf("%s port %s is taken, and the error is %v", network, port, err)
			}
			other := map[string]string{"udp": "tcp", "tcp": "udp"}[network]
			if !free(other, net.JoinHostPort("127.0.0.1", port)) {
				t.Errorf("%s port %s was kept", other, port)
			}
		}
	}
}

// free reports whether nobody has the address.
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

// Nor can a program that shares ports take a part of the questions.
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
		at := s.Addr().(*net.TCPAddr).AddrPort()
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err == nil && socket == unix.SOCK_STREAM {
			err = unix.Listen(fd, 1) // where TCP draws the line
			if !errors.Is(err, unix.EADDRINUSE) {
				t.Errorf("%s: listening too: %v", name, err)
			}
		} else if !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("%s: binding too: %v", name, err)
		}
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536"} {
		s, err := New(Config{Address: address})
		if err == nil {
			s.Close()
			t.Errorf("%q was listened on", address)
		} else if !strings.Contains(err.Error(), "port") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestCloseOfAServerThatIsNotRun(t *testing.T) {
	s, err := New(Config{Address: "127.0.0.1:0"})
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

func TestStopFreesThePort(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	conn := s.connect(t) // idle
	s.stop()
	closed(t, conn)
	again := serve(t, Config{Address: s.Addr().String(), Source: r})
	again.answersAt(t, again.at("127.0.0.1"))
}

// records collects log records.
type records struct {
	slog.Handler
	told chan string
}

func (r *records) Handle(_ context.Context, record slog.Record) error {
	var line strings.Builder
	record.Attrs(func(a slog.Attr) bool {
		line.WriteString(a.String() + " ")
		return true
	})
	r.told <- strings.TrimSpace(line.String())
	return nil
}

func TestRefusalsAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &records{Handler: slog.NewTextHandler(nil, nil), told: make(chan string, 10)}
		ctx, cancel := context.WithCancel(t.Context())
		s, done := new(Server), make(chan error)
		go func() { done <- s.refusals.log(ctx, slog.New(to)) }()
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for len(to.told) > 0 {
				got = append(got, <-to.told)
			}
			if !slices.Equal(got, want) {
				t.Errorf("was told %q, want %q", got, want)
			}
		}
		for range 5 {
			s.refusals.count(malformed)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		expect()
		time.Sleep(time.Nanosecond)
		expect("why=malformed in_last_minute=5 total=5")
		time.Sleep(time.Minute)
		expect()
		s.refusals.count(malformed)
		s.refusals.count(unfinished)
		time.Sleep(time.Minute)
		expect("why=malformed in_last_minute=1 total=6", "why=unfinished in_last_minute=1 total=1")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestEveryRefusalHasAName(t *testing.T) {
	seen := make(map[string]bool)
	for why, name := range refusalNames {
		if name == "" || seen[name] {
			t.Errorf("refusal %d is named %q", why, name)
		}
		seen[name] = true
	}
}
