package lmp

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// checker asks over UDP from a socket that takes datagrams from everywhere.
type checker struct {
	t    testing.TB
	conn *net.UDPConn
}

func newChecker(t testing.TB, at netip.AddrPort) *checker {
	t.Helper()
	network := "udp6"
	if at.Addr().Is4() {
		network = "udp4"
	}
	conn, err := net.ListenUDP(network, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetReadDeadline(time.Now().Add(patience))
	return &checker{t, conn}
}

func (a *checker) send(to netip.AddrPort, b []byte) {
	a.t.Helper()
	if _, err := a.conn.WriteToUDPAddrPort(b, to); err != nil {
		a.t.Fatalf("sending to %v: %v", to, err)
	}
}

// settle asks until there is an answer. Of a device
// that has just come up the kernel loses a datagram now and then.
func (a *checker) settle(at netip.AddrPort, b []byte) {
	a.t.Helper()
	in := make([]byte, 65536)
	for over := time.Now().Add(patience); time.Now().Before(over); {
		a.send(at, b)
		a.conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := a.conn.Read(in); err == nil {
			return
		}
	}
	a.t.Fatalf("%v does not answer", at)
}

// receive waits for a datagram.
func (a *checker) receive() (b []byte, from netip.AddrPort) {
	a.t.Helper()
	b = make([]byte, 65536)
	n, from, err := a.conn.ReadFromUDPAddrPort(b)
	if err != nil {
		a.t.Fatal(err)
	}
	return b[:n], from
}

// ask asks and returns the answer, which must come from where it was asked.
func (a *checker) ask(at netip.AddrPort, b []byte) []byte {
	a.t.Helper()
	a.send(at, b)
	answer, from := a.receive()
	if from != at {
		a.t.Errorf("the answer came from %v, and %v was asked", from, at)
	}
	return answer
}

// silence checks that the datagram, sent to the given address, is not
// answered, but counted for the given reason and no other. Another checker's
// question, sent after it, is answered.
func (s *serving) silence(t *testing.T, to, at netip.AddrPort, b []byte, why refusal, good []byte) {
	t.Helper()
	a, other := newChecker(t, to), newChecker(t, at)
	before := s.counts()
	a.send(to, b)
	// It may arrive late where it takes another way.
	for over := time.Now().Add(patience); s.counts() == before && time.Now().Before(over); {
		parse(t, other.ask(at, good), good)
	}
	want := before
	want[why]++
	if got := s.counts(); got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
	a.silent()
}

// silent checks that nothing has come: a datagram sent now comes first.
func (a *checker) silent() {
	a.t.Helper()
	end, err := net.DialUDP("udp", nil, a.conn.LocalAddr().(*net.UDPAddr))
	if err != nil {
		a.t.Fatal(err)
	}
	defer end.Close()
	if _, err := end.Write([]byte("end")); err != nil {
		a.t.Fatal(err)
	}
	if got, from := a.receive(); string(got) != "end" {
		a.t.Errorf("% X came from %v", got, from)
	}
}

// counts returns the refusals so far.
func (s *serving) counts() (n [refusalKinds]uint64) {
	for why := range s.refusals {
		n[why] = s.refusals[why].Load()
	}
	return n
}

// dial connects a checker over the network, udp or tcp.
func (s *serving) dial(t testing.TB, network string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func (s *serving) connect(t testing.TB) *net.TCPConn {
	t.Helper()
	return s.dial(t, "tcp").(*net.TCPConn)
}

func write(t testing.TB, conn net.Conn, frames ...[]byte) {
	t.Helper()
	for _, b := range frames {
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
}

// next reads one frame.
func next(t testing.TB, conn net.Conn) []byte {
	t.Helper()
	b := make([]byte, 8, lmp.MaxLength)
	if _, err := io.ReadFull(conn, b); err != nil {
		t.Fatalf("reading an answer: %v", err)
	}
	n, err := lmp.FrameLength(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, b[8:n]); err != nil {
		t.Fatalf("reading the rest of an answer: %v", err)
	}
	return b[:n]
}

// closed checks that the server closes the connection with nothing more.
func closed(t testing.TB, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("an answer came, where the connection was to be closed")
	} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Error("the connection was not closed")
	}
}
