package socket

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
)

// accept accepts a connection and returns its peer.
func accept(t *testing.T, l *Listener) Peer {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer, err := PeerOf(conn.(syscall.Conn))
	if err != nil {
		t.Fatal(err)
	}
	return peer
}

func TestPeerOfOwnProcess(t *testing.T) {
	path := newPath(t)
	l := mustListen(t, path)
	answers(t, path)
	want := Peer{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), PID: int32(os.Getpid())}
	if got := accept(t, l); got != want {
		t.Errorf("%+v connected, want %+v", got, want)
	}
}

// Every user may connect, and has its own credentials.
func TestPeerOfAnotherUser(t *testing.T) {
	as := asNobody(t)
	path := newPath(t)
	l := mustListen(t, path)
	p := start(t, "dial", path, as)
	p.begin()
	pid := p.cmd.Process.Pid
	if said := p.says(); said != fmt.Sprint("connected as ", pid) {
		t.Fatal(said)
	}
	want := Peer{UID: nobody, GID: nobody, PID: int32(pid)}
	if got := accept(t, l); got != want {
		t.Errorf("%+v connected, want %+v", got, want)
	}
}

func TestPeerOfAClosedConnectionFails(t *testing.T) {
	path := newPath(t)
	mustListen(t, path)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if peer, err := PeerOf(conn.(*net.UnixConn)); err == nil {
		t.Errorf("%+v", peer)
	}
}
