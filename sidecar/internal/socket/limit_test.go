package socket

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimit(t *testing.T) {
	path := newPath(t)
	refused := 0
	l := Limit(mustListen(t, path), 2, func() { refused++ })
	dial := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	accept := func() net.Conn {
		t.Helper()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	dial()
	first := accept()
	dial()
	accept()
	beyond, next := dial(), dial()
	l.(*limited).Listener.(*Listener).SetDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a third was taken, or %v", err)
	}
	l.(*limited).Listener.(*Listener).SetDeadline(time.Time{})
	for _, conn := range []net.Conn{beyond, next} {
		if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the refused one reads %d bytes, %v; want its end", n, err)
		}
	}
	if refused != 2 {
		t.Errorf("counted %d refused, want 2", refused)
	}

	// A place is given back once, however often its connection is closed.
	first.Close()
	first.Close()
	dial()
	taken := accept()
	if peer, err := PeerOf(taken.(*placed)); err != nil || peer.PID != int32(os.Getpid()) {
		t.Errorf("its peer is %+v, %v", peer, err)
	}
	if n := len(l.(*limited).places); n != 2 {
		t.Errorf("%d places are taken, want 2", n)
	}
}

// What is below need not be a socket.
func TestLimitedConnectionWithoutASocket(t *testing.T) {
	conn, other := net.Pipe()
	defer conn.Close()
	defer other.Close()
	if _, err := (&placed{Conn: conn}).SyscallConn(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("the pipe's socket: %v", err)
	}
}

func TestRefusalsAreToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := NewRefusals(slog.New(slog.NewTextHandler(&log, nil)))
		told := func(want int, client string) {
			t.Helper()
			if got := strings.Count(log.String(), `of="`+client+`" limit=7`); got != want {
				t.Errorf("%s was told of %d times, want %d", client, got, want)
			}
		}
		for range 1000 {
			r.Log("uid 1", 7)
		}
		told(1, "uid 1")
		time.Sleep(30 * time.Second)
		r.Log("uid 2", 7)
		told(1, "uid 2")
		time.Sleep(30*time.Second - time.Nanosecond)
		r.Log("uid 1", 7)
		told(1, "uid 1")
		time.Sleep(time.Nanosecond)
		r.Log("uid 1", 7)
		r.Log("uid 2", 7) // whose minute is not over
		told(2, "uid 1")
		told(1, "uid 2")
		time.Sleep(time.Hour)
		r.Log("uid 3", 7)
		if n := len(r.told); n != 1 {
			t.Errorf("%d clients are remembered, want the last alone", n)
		}
	})
}
