package lmp

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// BenchmarkUDP sends requests over loopback, a window at a time, and the same
// datagrams to a bare echo in turn. The ratio is the cost of a server relative to
// an echo, whatever else the machine does.
func BenchmarkUDP(b *testing.B) {
	for _, window := range []int{1, 32} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			r, _ := newRegistry(b)
			s := serve(b, Config{Address: "127.0.0.1:0", Source: r})
			q, in := check(b, "epg"), make([]byte, 64)
			server, echo := dialUDP(b, s.udp.LocalAddr()), dialUDP(b, newEcho(b))
			var answered, echoed time.Duration
			b.ReportAllocs()
			for b.Loop() {
				answered += exchange(b, server, q, in, window)
				echoed += exchange(b, echo, q, in, window)
			}
			requests := float64(b.N * window)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(answered)/requests, "ns/answer")
			b.ReportMetric(float64(echoed)/requests, "ns/echo")
			b.ReportMetric(float64(answered)/float64(echoed), "ratio")
		})
	}
}

// BenchmarkTCP is BenchmarkUDP on one connection.
func BenchmarkTCP(b *testing.B) {
	r, _ := newRegistry(b)
	s := serve(b, Config{Address: "127.0.0.1:0", Source: r})
	q := newRequest(b, lmp.Request{Kind: lmp.KindCheck}, nil) // as long as its answer
	in := make([]byte, len(q))
	server, echo := s.connect(b), dialEcho(b)
	var answered, echoed time.Duration
	b.ReportAllocs()
	for b.Loop() {
		answered += exchange(b, server, q, in, 1)
		echoed += exchange(b, echo, q, in, 1)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(answered)/float64(b.N), "ns/answer")
	b.ReportMetric(float64(echoed)/float64(b.N), "ns/echo")
	b.ReportMetric(float64(answered)/float64(echoed), "ratio")
}

// dialEcho connects to a server that echoes.
func dialEcho(b *testing.B) net.Conn {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	server, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		defer server.Close()
		for in := make([]byte, 512); ; {
			n, err := server.Read(in)
			if err != nil {
				return
			}
			server.Write(in[:n])
		}
	}()
	return conn
}

// BenchmarkWatch changes a service and reads the frame that is sent. All its
// allocations are the report's.
func BenchmarkWatch(b *testing.B) {
	r, p := newRegistry(b)
	s := serve(b, Config{Address: "127.0.0.1:0", Source: r})
	conn, in := s.connect(b), make([]byte, lmp.HeaderLength)
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	write(b, conn, watchRequest(b, "epg", time.Hour))
	conn.Read(in)
	facts := [2][]registry.Fact{{hung()}, {fact(0)}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.Report(facts[i%2]...)
		if n, err := conn.Read(in); n != len(in) || err != nil {
			b.Fatalf("%d bytes, %v", n, err)
		}
	}
}

// BenchmarkReport is BenchmarkWatch without the WATCH.
func BenchmarkReport(b *testing.B) {
	_, p := newRegistry(b)
	facts := [2][]registry.Fact{{hung()}, {fact(0)}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.Report(facts[i%2]...)
	}
}

// exchange sends a window of requests, reads their answers, and returns how long
// that took.
func exchange(b *testing.B, conn net.Conn, request, in []byte, window int) time.Duration {
	start := time.Now()
	for range window {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
	}
	for range window {
		if _, err := conn.Read(in); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

func dialUDP(b *testing.B, to net.Addr) *net.UDPConn {
	conn, err := net.DialUDP("udp", nil, to.(*net.UDPAddr))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	return conn
}

// newEcho returns the address of a socket that echoes.
func newEcho(b *testing.B) net.Addr {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	go func() {
		for in := make([]byte, 65536); ; {
			n, from, err := conn.ReadFromUDPAddrPort(in)
			if err != nil {
				return
			}
			conn.WriteToUDPAddrPort(in[:n], from)
		}
	}()
	return conn.LocalAddr()
}

// BenchmarkDatagram is the work for one datagram, without the socket's.
func BenchmarkDatagram(b *testing.B) {
	r, _ := newRegistry(b)
	s := &Server{config: Config{Source: r, Checkers: frontendtest.NewTracker()}}
	d := datagram{data: check(b, "epg"), from: netip.MustParseAddrPort("10.0.0.1:4711")}
	out := make([]byte, 0, lmp.MaxDatagram)
	b.ReportAllocs()
	for b.Loop() {
		q, key, ok := s.parseDatagram(d)
		if !ok {
			b.Fatal("the request was rejected")
		}
		a, _ := r.Lookup(q.Service, q.MaxAge)
		out = s.appendDatagramAnswer(out[:0], d, q, &a, key)
	}
}
