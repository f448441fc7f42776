package eventloop

import (
	"errors"
	"net/netip"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Without descriptors the listener tries again until it can accept, and the loop turns.
func TestListenerTriesAgain(t *testing.T) {
	l := newLoop(t)
	address, echoes := listen(t, l, func() *echo { return &echo{size: 10} })
	run(t, l)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	conn, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(conn)
	none := limit
	none.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(address)
	connected := unix.Connect(conn, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()})
	for range 3 {
		if err := receive(t, echoes.failed); !errors.Is(err, unix.EMFILE) {
			t.Errorf("got %v, want %v", err, unix.EMFILE)
		}
	}
	if err := l.Turn(t.Context()); err != nil { // that no connection can be accepted is no hang
		t.Error(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if connected != nil {
		t.Fatal(connected)
	}
	b := []byte("x")
	if _, err := unix.Write(conn, b); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Read(conn, b); n != 1 || err != nil {
		t.Errorf("got %d bytes, %v, want the echo", n, err)
	}
}

func TestAddressOf(t *testing.T) {
	inet4 := func(address unix.RawSockaddrInet4) (peer unix.RawSockaddrAny) {
		address.Family = unix.AF_INET
		*(*unix.RawSockaddrInet4)(unsafe.Pointer(&peer)) = address
		return peer
	}
	inet6 := func(address unix.RawSockaddrInet6) (peer unix.RawSockaddrAny) {
		address.Family = unix.AF_INET6
		*(*unix.RawSockaddrInet6)(unsafe.Pointer(&peer)) = address
		return peer
	}
	for want, peer := range map[string]unix.RawSockaddrAny{
		"192.0.2.1":     inet4(unix.RawSockaddrInet4{Addr: [4]byte{192, 0, 2, 1}}),
		"198.51.100.2":  inet6(unix.RawSockaddrInet6{Addr: [16]byte{10: 0xFF, 11: 0xFF, 12: 198, 13: 51, 14: 100, 15: 2}}),
		"2001:db8::3":   inet6(unix.RawSockaddrInet6{Addr: [16]byte{0: 0x20, 1: 1, 2: 0x0D, 3: 0xB8, 15: 3}}),
		"fe80::1%lo":    inet6(unix.RawSockaddrInet6{Addr: [16]byte{0: 0xFE, 1: 0x80, 15: 1}, Scope_id: 1}),
		"fe80::1%99999": inet6(unix.RawSockaddrInet6{Addr: [16]byte{0: 0xFE, 1: 0x80, 15: 1}, Scope_id: 99999}),
		"invalid IP":    {Addr: unix.RawSockaddr{Family: unix.AF_UNIX}},
	} {
		if got := addressOf(&peer); got.String() != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}
