package lmp

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/lmp"
)

// overBoth runs the test with a new client over UDP, and with one over TCP.
func (s *testServer) overBoth(t *testing.T, test func(*testing.T, net.Conn)) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) { test(t, s.dial(t, network)) })
	}
}

func TestRequestWaitsDuringStartGrace(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			r := frontendtest.NewRegistry(t, time.Hour)
			source := newAwaitSource(r)
			s := serve(t, Config{Address: "127.0.0.1:0", Source: source})
			conn, q := s.dial(t, network), check(t, "epg")
			write(t, conn, q)
			receive(t, source.awaits)

			// A request about another service is answered meanwhile.
			newProcess(t, r, "vod", loops("main"), hung())
			other, p := s.dial(t, network), check(t, "vod")
			write(t, other, p)
			wantAnswer(t, readAnswer(t, other, p), lmp.StatusNotServing, lmp.CauseStalled)

			newProcess(t, r, "epg", loops("main"), fact(0))
			wantAnswer(t, readAnswer(t, conn, q), lmp.StatusServing, lmp.CauseNone)
		})
	}
}

func TestRequestIsAnsweredAfterStartGrace(t *testing.T) {
	const grace = 50 * time.Millisecond
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			start := time.Now()
			s := serve(t, Config{Address: "127.0.0.1:0", Source: frontendtest.NewRegistry(t, grace)})
			conn, q := s.dial(t, network), check(t, "epg")
			write(t, conn, q)
			wantAnswer(t, readAnswer(t, conn, q), lmp.StatusUnknownService, lmp.CauseUnknownService)
			if took := time.Since(start); took < grace {
				t.Errorf("the answer came after %v, want at least %v", took, grace)
			}
		})
	}
}

func TestRequestWaitsForMainLoop(t *testing.T) {
	r, p := newRegistry(t)
	source := newAwaitSource(r)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: source})
	for _, kind := range []lmp.Kind{lmp.KindCheck, lmp.KindDescribe} {
		s.overBoth(t, func(t *testing.T, conn net.Conn) {
			p.Report(fact(longAgo))
			q := freshRequest(t, kind)
			write(t, conn, q)
			number := receive(t, p.Commands)
			p.AnswerCommand(number, fact(0))
			a := readAnswer(t, conn, q)
			wantAnswer(t, a, lmp.StatusServing, lmp.CauseNone)
			if a.Age > time.Second {
				t.Errorf("the facts are %v old", a.Age)
			}
		})
	}
	if n := len(source.awaits); n != 4 {
		t.Errorf("%d of 4 requests waited", n)
	}
}

// A main loop that does not answer is stalled for this checker alone.
func TestRequestThatMainLoopDoesNotAnswerIsStalled(t *testing.T) {
	r := frontendtest.NewRegistry(t, 0)
	quick := loops("main")
	quick[0].Within = 20 * time.Millisecond
	newProcess(t, r, "epg", quick, fact(longAgo))
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	s.overBoth(t, func(t *testing.T, conn net.Conn) {
		q := freshRequest(t, lmp.KindDescribe)
		padded := with(q, append([]byte{0x02, 200}, make([]byte, 200)...)...)
		write(t, conn, padded)
		a := readAnswer(t, conn, padded)
		wantAnswer(t, a, lmp.StatusNotServing, lmp.CauseStalled)
		if a.Weight != 0 || a.Reason == "" || a.Age < longAgo {
			t.Errorf("%+v", a)
		}
		q = check(t, "epg")
		write(t, conn, q)
		wantAnswer(t, readAnswer(t, conn, q), lmp.StatusServing, lmp.CauseNone)
	})
}

// A later request changes neither the name, the sender nor the answer's length
// limit of a request that waits.
func TestWaitingRequestsAreIndependent(t *testing.T) {
	r := frontendtest.NewRegistry(t, time.Hour)
	source := newAwaitSource(r)
	k := newKey(t, 1, "a")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: source, Keys: lmp.Keys{newKey(t, 2, "b"), k}})
	names := []string{"a", "bb", "ccc", "dddd", "eeeee"}
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			var conns []net.Conn
			var requests [][]byte
			for i, name := range names {
				service := []byte(network + name)
				q := newRequest(t, lmp.Request{Kind: lmp.KindDescribe, Service: service}, k)
				if network == "udp" {
					q = append(q, make([]byte, 40*i)...) // padding
				}
				conn := s.dial(t, network)
				write(t, conn, q)
				receive(t, source.awaits)
				conns, requests = append(conns, conn), append(requests, q)
			}
			for i, name := range names {
				newProcess(t, r, network+name, loops(name), fact(0))
				b := make([]byte, lmp.MaxLength)
				n, err := conns[i].Read(b)
				if err != nil {
					t.Fatal(err)
				}
				a := parseAnswer(t, b[:n], requests[i])
				wantAnswer(t, a, lmp.StatusServing, lmp.CauseNone)
				if err := k.Verify(b[:n]); err != nil {
					t.Error(err)
				}
				if network == "udp" && n > len(requests[i]) {
					t.Errorf("the answer has %d bytes, the request %d", n, len(requests[i]))
				}
				if whole := network == "tcp" || i > 0; a.Truncated == whole || whole && a.Landmarks[0].Name != name {
					t.Errorf("%s: %+v", name, a)
				}
			}
		})
	}
}

func TestStopDropsWaitingRequests(t *testing.T) {
	r := frontendtest.NewRegistry(t, time.Hour)
	newProcess(t, r, "idle", loops("main"), fact(longAgo))
	source := newAwaitSource(r)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: source})
	udp, tcp := newUDPClient(t, s.addr("127.0.0.1")), s.dial(t, "tcp")
	for _, q := range [][]byte{
		check(t, "epg"),
		newRequest(t, lmp.Request{Kind: lmp.KindCheck, Service: []byte("idle"), MaxAge: time.Second}, nil),
	} {
		udp.send(s.addr("127.0.0.1"), q)
		receive(t, source.awaits)
	}
	write(t, tcp, check(t, "epg"))
	receive(t, source.awaits)
	s.stop()
	wantClosed(t, tcp)
	udp.wantNothing()
}

// The requests of one address that wait leave places to those of another.
func TestOneAddressLeavesSlotsToOthers(t *testing.T) {
	s := serve(t, Config{Address: "127.0.0.1:0", Source: frontendtest.NewRegistry(t, time.Hour)})
	flood := s.dial(t, "udp")
	for s.rejections.Counted(overloaded) == 0 { // until the address has all places that it gets
		write(t, flood, check(t, "epg"))
	}
	connect := func(from net.IP) net.Conn {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
		conn, err := dialer.Dial("tcp", s.addr("127.0.0.1").String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(testTimeout))
		write(t, conn, check(t, "epg"))
		return conn
	}
	wantClosed(t, connect(net.IPv4(127, 0, 0, 1)))
	other := connect(net.IPv4(127, 0, 0, 2))
	other.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := other.Read(make([]byte, 64)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes, %v; want that the request waits", n, err)
	}
}
