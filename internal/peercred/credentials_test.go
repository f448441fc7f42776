package peercred

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// handshake dials the listener and returns what a server with the credentials knows
// of the client.
func handshake(t *testing.T, l net.Listener) (AuthInfo, error) {
	t.Helper()
	defer l.Close()
	client, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	_, info, err := New().ServerHandshake(accepted)
	if err != nil {
		return AuthInfo{}, err
	}
	return info.(AuthInfo), nil
}

func TestHandshakeIdentifiesUnixPeer(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := handshake(t, l)
	if err != nil {
		t.Fatal(err)
	}
	if p := info.Peer; p.UID != uint32(os.Getuid()) || p.GID != uint32(os.Getgid()) || p.PID != int32(os.Getpid()) {
		t.Errorf("peer %+v, want this process", p)
	}
}

func TestHandshakeRefusesTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := handshake(t, l); err == nil {
		t.Errorf("ServerHandshake on TCP = %+v, want an error", info)
	}
}

func TestBackgroundContextHasNoPeer(t *testing.T) {
	if p, known := FromContext(t.Context()); known {
		t.Errorf("FromContext = %+v, want none", p)
	}
}
