package socket

import (
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// TestLimitUsers counts places by user, as only another user's process could
// try over a socket.
func TestLimitUsers(t *testing.T) {
	l := LimitUsers(nil, 2, nil).(*users)
	enter := func(uid uint32, want bool) {
		t.Helper()
		if got := l.enter(uid); got != want {
			t.Errorf("uid %d: %v, want %v", uid, got, want)
		}
	}
	enter(1000, true)
	enter(1000, true)
	enter(1000, false)
	enter(1001, true)
	for range 5 {
		enter(0, true)
	}
	l.leave(1000)
	enter(1000, true)
	enter(1000, false)
	l.leave(1001)
	if _, counted := l.open[1001]; counted {
		t.Error("a user who has gone is still counted")
	}
}

// TestLimitUsersOverASocket has this process's own user come, who may have any
// number, and then is taken for one who may not.
func TestLimitUsersOverASocket(t *testing.T) {
	path := newPath(t)
	var refused []uint32
	l := LimitUsers(mustListen(t, path), 0, func(uid uint32) { refused = append(refused, uid) })
	dial := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	client := dial()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := PeerOf(conn.(*placed)); err != nil {
		t.Errorf("who connected cannot be asked any more: %v", err)
	}
	conn.Close()
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client of the closed one reads %v", err)
	}
	if n := len(l.(*users).open); n != 0 || len(refused) != 0 {
		t.Errorf("%d users are counted, refused were %v", n, refused)
	}
}

// TestLimitUsersTakesOnlyUnixSockets: of anybody else it is not known whose
// place to count.
func TestLimitUsersTakesOnlyUnixSockets(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	var refused []uint32
	l := LimitUsers(tcp, 1, func(uid uint32) { refused = append(refused, uid) })
	client, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	tcp.(*net.TCPListener).SetDeadline(time.Now().Add(100 * time.Millisecond))
	if conn, err := l.Accept(); err == nil {
		conn.Close()
		t.Error("it was accepted")
	}
	if slices.Contains(refused, 0) {
		t.Error("it was taken for root's")
	}
}
