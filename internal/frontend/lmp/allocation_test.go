package lmp

import (
	"net"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/lmp"
)

// From the socket to the socket, an answer from memory allocates nothing. Other goroutines
// allocate now and then, and an answer after a pause of the machine is not from memory, so
// less than half of an allocation is allowed.
func TestServedCheckAllocatesNothing(t *testing.T) {
	const most = 0.5
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r, Checkers: frontendtest.NewTracker()})
	for network, address := range map[string]net.Addr{"udp": s.udp.addr, "tcp": s.Addr()} {
		conn, err := net.Dial(network, address.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(testTimeout)); err != nil {
			t.Fatal(err)
		}
		q, in := check(t, "epg"), make([]byte, lmp.HeaderLength)
		exchange := func() {
			if _, err := conn.Write(q); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(in); err != nil {
				t.Fatal(err)
			}
		}
		exchange() // the first one makes the buffers
		const answers = 200
		n := testing.AllocsPerRun(5, func() {
			for range answers {
				exchange()
			}
		}) / answers
		if n > most {
			t.Errorf("%s: %v allocations for an answer, want at most %v", network, n, most)
		}
	}
}
