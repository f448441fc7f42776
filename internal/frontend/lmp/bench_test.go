package lmp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

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
		out = appendDatagramAnswer(out[:0], d, q, &a, key)
		rec := recordOf(d, q, &a)
		s.record(&rec)
	}
}
