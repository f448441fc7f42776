package main

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/landmark-health/landmark/internal/nettest"
	"github.com/landmark-health/landmark/lmp"
)

// narrowPath returns an address that forwards datagrams to the server and back, and drops
// those longer than limit, like a path that drops fragments. It calls passed with the
// length of each that it forwards.
func narrowPath(t *testing.T, server string, limit int, passed func(int)) string {
	t.Helper()
	conn, err := net.Dial("udp", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return nettest.ServeUDP(t, "127.0.0.1:0", func(datagram []byte) []byte {
		if len(datagram) > limit {
			return nil
		}
		passed(len(datagram))
		answer := make([]byte, lmp.MaxDatagram)
		if _, err := conn.Write(datagram); err != nil {
			return nil
		}
		n, err := conn.Read(answer)
		if err != nil || n > limit {
			return nil
		}
		return answer[:n]
	})
}

// On a path that drops long datagrams the answer lacks the reason, and nothing else. A
// datagram that every IPv6 path carries needs no second try.
func TestNarrowPath(t *testing.T) {
	reason := strings.Repeat("r", 255)
	server := nettest.ServeUDP(t, "127.0.0.1:0", func(datagram []byte) []byte {
		q, err := lmp.ParseRequest(datagram)
		if err != nil {
			return nil
		}
		a := lmp.Answer{Kind: q.Kind, Nonce: q.Nonce, Status: lmp.StatusNotServing, Cause: lmp.CauseStalled, Reason: reason}
		return lmp.AppendAnswer(nil, &a, min(len(datagram), lmp.MaxDatagram), nil)
	})
	for _, tt := range []struct {
		limit int
		sent  int // the first length that passes
		whole bool
	}{
		{1280 - 40 - 8, 1232, true},
		{1231, 508, true},
		{576 - 60 - 8, 508, true},
		{100, 37, false}, // the header and the field of the name
	} {
		for mode, code := range map[string]int{"exec": 4, "nagios": 2} {
			t.Run(fmt.Sprint(mode, " ", tt.limit), func(t *testing.T) {
				t.Parallel() // each only waits
				passed := make(chan int, 100)
				address := narrowPath(t, server, tt.limit, func(n int) { passed <- n })
				r := execute(t, program, "-addr", address, "-service", "epg", "-as", mode, "-timeout", "5s")
				if r.code != code || !strings.Contains(r.stdout, "epg: NOT_SERVING stalled") {
					t.Fatalf("exit %d, %q", r.code, r.stdout)
				}
				if whole := strings.Contains(r.stdout, reason); whole != tt.whole {
					t.Errorf("whole reason: %t, want %t", whole, tt.whole)
				}
				if n := <-passed; n != tt.sent {
					t.Errorf("the first datagram that passes has %d bytes, want %d", n, tt.sent)
				}
			})
		}
	}
}
