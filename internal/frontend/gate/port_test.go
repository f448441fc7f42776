package gate

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An unspecified address is that of IPv4 and IPv6, and an address of one host is of
// its own family.
func TestPortIsOfTheAddressFamilies(t *testing.T) {
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("the host has no IPv6:", err)
	} else {
		l.Close()
	}
	number := freePort(t).Port()
	four, six := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), number), netip.AddrPortFrom(netip.IPv6Loopback(), number)
	for _, test := range []struct {
		address   netip.Addr
		four, six bool
	}{
		{netip.IPv6Unspecified(), true, true},
		{netip.IPv4Unspecified(), true, true},
		{four.Addr(), true, false},
		{six.Addr(), false, true},
	} {
		p, err := reserve(netip.AddrPortFrom(test.address, number))
		if err != nil {
			t.Fatalf("%v: %v", test.address, err)
		}
		var accepting sync.WaitGroup
		accepting.Go(func() { p.accept(t.Context(), func(netip.Addr) {}, func(err error) { t.Error(err) }) })
		if isOpen(t, four) || isOpen(t, six) {
			t.Errorf("%v: the port is open from the start", test.address)
		}
		if err := p.set(true); err != nil {
			t.Fatalf("%v: %v", test.address, err)
		}
		if isOpen(t, four) != test.four || isOpen(t, six) != test.six {
			t.Errorf("%v: the port is open by IPv4 %t and by IPv6 %t, want %t and %t", test.address, !test.four, !test.six, test.four, test.six)
		}
		p.close()
		accepting.Wait()
	}
}

// A port that closes resets the connections that wait to be accepted, so that no
// client waits for a service that does not serve.
func TestClosingResetsWaitingConnections(t *testing.T) {
	address := freePort(t)
	p, err := reserve(address)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if err := p.set(true); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := p.set(false); err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(deadline))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the waiting connection: %v, want a reset", err)
	}
	if isOpen(t, address) {
		t.Error("the port is open")
	}
}

// While landmarkd is stopped, the kernel completes no more connections than the
// backlog.
func TestUnacceptedConnectionsAreFew(t *testing.T) {
	address := freePort(t)
	p, err := reserve(address)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if err := p.set(true); err != nil {
		t.Fatal(err)
	}
	for i := range 2 * backlog {
		patience := deadline
		if i >= backlog {
			patience = 100 * time.Millisecond // no answer is expected any more
		}
		conn, err := net.DialTimeout("tcp", address.String(), patience)
		if err == nil {
			defer conn.Close()
		}
		if i < backlog && err != nil || i > backlog && err == nil {
			t.Errorf("connection %d of at most %d: %v", i+1, backlog+1, err)
		}
	}
}

// No other program takes the port in the moment in which it opens or closes.
func TestOpeningAndClosingLetsNoOtherListen(t *testing.T) {
	address := freePort(t)
	p, err := reserve(address)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	var ended, taken atomic.Bool
	var other sync.WaitGroup
	other.Go(func() {
		for !ended.Load() && !taken.Load() {
			taken.Store(canListen(address))
		}
	})
	defer other.Wait()
	defer ended.Store(true)
	for i := range 20_000 {
		if err := errors.Join(p.set(true), p.set(false)); err != nil || taken.Load() {
			t.Fatalf("another program listened: %t, when the port was opened %d times; %v", taken.Load(), i+1, err)
		}
	}
}

// Connections that were closed lately keep the port from neither opening again nor
// being reserved again, as by a landmarkd that has been restarted. A second landmarkd
// cannot have it, open or closed.
func TestClosedConnectionsDoNotHoldPort(t *testing.T) {
	address := freePort(t)
	for range 3 {
		p, err := reserve(address)
		if err != nil {
			t.Fatal(err)
		}
		var accepting sync.WaitGroup
		accepting.Go(func() { p.accept(t.Context(), func(netip.Addr) {}, func(err error) { t.Error(err) }) })
		for range 3 {
			for _, open := range []bool{true, false} {
				if err := p.set(open); err != nil {
					t.Fatal(err)
				}
				if second, err := reserve(address); err == nil {
					second.close()
					t.Errorf("open %t: the port could be reserved twice", open)
				}
				if isOpen(t, address) != open {
					t.Errorf("the port is open: %t, want %t", !open, open)
				}
			}
		}
		p.close()
		accepting.Wait()
	}
}

// A connection that comes in the moment in which the port opens or closes does not hold
// the port either, although the socket that listens is not shared then.
func TestConnectionOfThatMomentDoesNotHoldPort(t *testing.T) {
	address := freePort(t)
	p, err := reserve(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.set(true); err != nil {
		t.Fatal(err)
	}
	p.conn.Control(func(fd uintptr) { err = share(int(fd), unix.SO_REUSEADDR, false) })
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() { p.accept(t.Context(), func(netip.Addr) {}, func(err error) { t.Error(err) }) })
	if err := connect(address); err != nil {
		t.Fatal(err)
	}
	p.close()
	accepting.Wait()
	if p, err = reserve(address); err != nil {
		t.Fatalf("a landmarkd that has been restarted cannot have the port: %v", err)
	}
	p.close()
	if !canListen(address) {
		t.Error("no other program can have the port")
	}
}

// A port that another program has, or of another host, cannot be reserved, and the log
// says why.
func TestPortThatCannotBeReservedIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().(*net.TCPAddr).AddrPort()
	p, err := reserve(address)
	if err == nil {
		p.close()
		t.Fatal("the port of another program was reserved")
	}
	if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(bindFailure(err), "another program") {
		t.Errorf("the error is %v, want EADDRINUSE", err)
	}
	elsewhere := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), address.Port())
	if p, err := reserve(elsewhere); err == nil {
		p.close()
		t.Error("an address of another host was reserved")
	} else if !strings.Contains(bindFailure(err), "not on this host") {
		t.Errorf("the error is %v, and %s", err, bindFailure(err))
	}
}

// accept ends with its port.
func TestAcceptEndsWithPort(t *testing.T) {
	for _, open := range []bool{false, true} {
		p, err := reserve(freePort(t))
		if err != nil {
			t.Fatal(err)
		}
		if open {
			if err := p.set(true); err != nil {
				t.Fatal(err)
			}
		}
		ended := make(chan struct{})
		go func() {
			p.accept(context.Background(), func(netip.Addr) {}, func(error) {})
			close(ended)
		}()
		p.close()
		<-ended
	}
}
