package lmp

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// udpClient is a client whose socket receives datagrams from any address.
type udpClient struct {
	t    testing.TB
	conn *net.UDPConn
}

// newUDPClient returns a client of the family of the address.
func newUDPClient(t testing.TB, to netip.AddrPort) *udpClient {
	t.Helper()
	network := "udp6"
	if to.Addr().Is4() {
		network = "udp4"
	}
	conn, err := net.ListenUDP(network, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &udpClient{t, conn}
}

// newUDPClientAt returns a client at the address.
func newUDPClientAt(t testing.TB, address string) *udpClient {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &udpClient{t, conn}
}

func (c *udpClient) send(to netip.AddrPort, b []byte) {
	c.t.Helper()
	if _, err := c.conn.WriteToUDPAddrPort(b, to); err != nil {
		c.t.Fatalf("sending to %v: %v", to, err)
	}
}

// retry sends the request until there is an answer. The kernel loses some
// datagrams of a device that has just come up.
func (c *udpClient) retry(to netip.AddrPort, b []byte) {
	c.t.Helper()
	in := make([]byte, 65536)
	for deadline := time.Now().Add(testTimeout); time.Now().Before(deadline); {
		c.send(to, b)
		c.conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := c.conn.Read(in); err == nil {
			return
		}
	}
	c.t.Fatalf("%v does not answer", to)
}

// receive waits for a datagram.
func (c *udpClient) receive() (b []byte, from netip.AddrPort) {
	c.t.Helper()
	b = make([]byte, 65536)
	c.conn.SetReadDeadline(time.Now().Add(testTimeout)) // of each: a busy machine may take long for all
	n, from, err := c.conn.ReadFromUDPAddrPort(b)
	if err != nil {
		c.t.Fatal(err)
	}
	return b[:n], from
}

// request sends a request and returns the answer, which must come from the
// address that the request was sent to.
func (c *udpClient) request(to netip.AddrPort, b []byte) []byte {
	c.t.Helper()
	c.send(to, b)
	answer, from := c.receive()
	if from != to {
		c.t.Errorf("the answer came from %v, want %v", from, to)
	}
	return answer
}

// wantNothing checks that nothing has arrived: a datagram sent now is the first.
func (c *udpClient) wantNothing() {
	c.t.Helper()
	end, err := net.DialUDP("udp", nil, c.conn.LocalAddr().(*net.UDPAddr))
	if err != nil {
		c.t.Fatal(err)
	}
	defer end.Close()
	if _, err := end.Write([]byte("end")); err != nil {
		c.t.Fatal(err)
	}
	if got, from := c.receive(); string(got) != "end" {
		c.t.Errorf("received % X from %v, want nothing", got, from)
	}
}

// wantNoAnswer checks that the datagram b, sent to the address to, gets no answer
// and is counted for the reason and no other. A good request of another client,
// sent after it to the address at, is answered.
func (s *testServer) wantNoAnswer(t *testing.T, to, at netip.AddrPort, b []byte, reason rejection, good []byte) {
	t.Helper()
	client, other := newUDPClient(t, to), newUDPClient(t, at)
	before := s.counts()
	client.send(to, b)
	// The datagram may arrive after the next, if it takes another path.
	for deadline := time.Now().Add(testTimeout); s.counts() == before && time.Now().Before(deadline); {
		parseAnswer(t, other.request(at, good), good)
	}
	want := before
	want[reason]++
	if got := s.counts(); got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
	client.wantNothing()
}

// dial connects a client over the network, udp or tcp.
func (s *testServer) dial(t testing.TB, network string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(testTimeout))
	return conn
}

func (s *testServer) connect(t testing.TB) *net.TCPConn {
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

// readFrame reads one frame from a stream.
func readFrame(t testing.TB, conn net.Conn) []byte {
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

// readAnswer reads the answer to the request, over UDP or TCP.
func readAnswer(t *testing.T, conn net.Conn, request []byte) lmp.Answer {
	t.Helper()
	b := make([]byte, lmp.MaxLength)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return parseAnswer(t, b[:n], request)
}

// wantClosed checks that the server closes the connection and sends nothing
// before.
func wantClosed(t testing.TB, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("received an answer, want the connection closed")
	} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Error("the connection was not closed")
	}
}

// receive waits for a value.
func receive[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(testTimeout):
		t.Fatal("timed out waiting for a value")
	}
	return v
}
