package probe

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// exchangeOverPipe sends e's request to a server that answers with reply, over a pipe
// that wrap changes. It returns runUDP's result and how long that took on the fake
// clock.
func exchangeOverPipe(t *testing.T, e *exchange, limit time.Duration, wrap func(net.Conn) net.Conn, reply func(lmp.Request, []byte) []byte) (a lmp.Answer, took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe() // like UDP, it delivers each write as one read
		go serve(t, server, reply)
		defer server.Close()
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		start := time.Now()
		a, err = e.runUDP(ctx, wrap(client), func() {})
		took = time.Since(start)
	})
	return a, took, err
}

func noWrap(conn net.Conn) net.Conn { return conn }

func TestUDPResendsAtShrinkingIntervals(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindCheck, Service: "epg"})
	var times []time.Time
	_, took, err := exchangeOverPipe(t, e, time.Second, noWrap, func(_ lmp.Request, b []byte) []byte {
		times = append(times, time.Now())
		if !bytes.Equal(b, e.request) {
			t.Errorf("% X was sent, want % X", b, e.request)
		}
		return nil
	})
	if !errors.Is(err, errTimeout) || took != time.Second {
		t.Errorf("%v after %v, want a timeout after exactly 1 s", err, took)
	}
	if len(times) < 10 || len(times) > 20 {
		t.Errorf("the request was sent %d times, want 10 to 20", len(times))
	}
	for i := 2; i < len(times); i++ {
		before, wait := times[i-1].Sub(times[i-2]), times[i].Sub(times[i-1])
		if wait > before || wait < minRetryDelay {
			t.Errorf("the delay was %v, then %v; want at most the one before and at least %v", before, wait, minRetryDelay)
		}
	}
	if wait := times[1].Sub(times[0]); wait != 250*time.Millisecond {
		t.Errorf("the first delay was %v, want a quarter of the remaining time", wait)
	}
}

func TestUDPAcceptsAnswerToResentRequest(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindCheck})
	sent := 0
	a, took, err := exchangeOverPipe(t, e, time.Second, noWrap, func(req lmp.Request, _ []byte) []byte {
		if sent++; sent < 3 {
			return nil
		}
		a := answerTo(req)
		return lmp.AppendAnswer(nil, &a, lmp.MaxDatagram, nil)
	})
	if err != nil || a.Status != lmp.StatusServing {
		t.Fatalf("%+v, %v", a, err)
	}
	if want := 437500 * time.Microsecond; took != want { // 250 + 187.5 ms
		t.Errorf("the answer came after %v, want %v", took, want)
	}
}

func TestUDPIgnoresOtherDatagrams(t *testing.T) {
	key := testKey(t, 1)
	e := mustExchange(t, Request{Kind: lmp.KindCheck, Key: key})
	replies := []func(lmp.Answer, lmp.Request) []byte{
		func(lmp.Answer, lmp.Request) []byte { return []byte("nonsense") },
		func(a lmp.Answer, _ lmp.Request) []byte {
			a.Nonce++
			return lmp.AppendAnswer(nil, &a, lmp.MaxDatagram, key)
		},
		func(a lmp.Answer, _ lmp.Request) []byte { return lmp.AppendAnswer(nil, &a, lmp.MaxDatagram, nil) },
		func(a lmp.Answer, _ lmp.Request) []byte {
			a.Status = lmp.StatusNotServing // unlike the others
			return lmp.AppendAnswer(nil, &a, lmp.MaxDatagram, key)
		},
	}
	a, _, err := exchangeOverPipe(t, e, time.Second, noWrap, func(req lmp.Request, _ []byte) []byte {
		reply := replies[0]
		replies = replies[1:]
		return reply(answerTo(req), req)
	})
	if err != nil || a.Status != lmp.StatusNotServing {
		t.Errorf("%+v, %v; want the one answer with the right signature and nonce", a, err)
	}
}

func TestUDPTimeoutIncludesLastError(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindCheck, Key: testKey(t, 1)})
	_, took, err := exchangeOverPipe(t, e, time.Second, noWrap, func(req lmp.Request, _ []byte) []byte {
		a := answerTo(req)
		return lmp.AppendAnswer(nil, &a, lmp.MaxDatagram, nil)
	})
	if !errors.Is(err, lmp.ErrUnauthenticated) || !errors.Is(err, errTimeout) || took != time.Second {
		t.Errorf("%v after %v, want ErrUnauthenticated and a timeout after 1 s", err, took)
	}
}

func TestUDPDescribeIsPadded(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindDescribe, Service: "epg"})
	_, _, err := exchangeOverPipe(t, e, time.Second, noWrap, func(req lmp.Request, b []byte) []byte {
		if len(b) != 1232 {
			t.Errorf("the datagram has %d bytes, want 1232", len(b))
		}
		a := answerTo(req)
		return lmp.AppendAnswer(nil, &a, len(b), nil)
	})
	if err != nil {
		t.Error(err)
	}
}

// refusedReads is a connection whose reads return an ICMP error until a time.
type refusedReads struct {
	net.Conn
	until time.Time
	reads int
}

func (r *refusedReads) Read(b []byte) (int, error) {
	r.reads++
	if time.Now().Before(r.until) {
		return 0, &net.OpError{Op: "read", Err: os.NewSyscallError("recvfrom", syscall.ECONNREFUSED)}
	}
	return r.Conn.Read(b)
}

func TestUDPWaitsForStartingServer(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindCheck})
	startAfter := func(after time.Duration) (lmp.Answer, time.Duration, *refusedReads, error) {
		var r *refusedReads
		a, took, err := exchangeOverPipe(t, e, time.Second, func(conn net.Conn) net.Conn {
			r = &refusedReads{Conn: conn, until: time.Now().Add(after)}
			return r
		}, func(req lmp.Request, _ []byte) []byte {
			if time.Now().Before(r.until) {
				return nil
			}
			a := answerTo(req)
			return lmp.AppendAnswer(nil, &a, lmp.MaxDatagram, nil)
		})
		return a, took, r, err
	}

	if a, took, _, err := startAfter(300 * time.Millisecond); err != nil || a.Status != lmp.StatusServing || took > 300*time.Millisecond+redialDelay {
		t.Errorf("a server that starts after 300 ms: %+v, %v after %v", a, err, took)
	}
	_, took, r, err := startAfter(time.Minute)
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "no answer in time") || took != time.Second {
		t.Errorf("a server that never starts: %v after %v, want ECONNREFUSED after 1 s", err, took)
	}
	if r.reads > 30 {
		t.Errorf("%d reads of a failing socket, want at most 30", r.reads)
	}
}

// refusedWrites is a connection of whose writes every other one returns the ICMP error
// of an earlier datagram.
type refusedWrites struct {
	net.Conn
	writes int
}

func (r *refusedWrites) Write(b []byte) (int, error) {
	if r.writes++; r.writes%2 == 1 {
		return 0, syscall.ECONNREFUSED
	}
	return r.Conn.Write(b)
}

func TestUDPRewritesAfterEarlierError(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindCheck})
	_, took, err := exchangeOverPipe(t, e, time.Second, func(conn net.Conn) net.Conn { return &refusedWrites{Conn: conn} },
		func(req lmp.Request, _ []byte) []byte {
			a := answerTo(req)
			return lmp.AppendAnswer(nil, &a, lmp.MaxDatagram, nil)
		})
	if err != nil || took != 0 {
		t.Errorf("%v after %v, want an answer to the second write at once", err, took)
	}
}

func TestUDPConnectionRefusedWaitsForDeadline(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := conn.LocalAddr().String()
	conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = Do(ctx, Request{Network: "udp", Address: address, Kind: lmp.KindCheck})
	if took := time.Since(start); !errors.Is(err, syscall.ECONNREFUSED) || took < 99*time.Millisecond {
		t.Errorf("%v after %v, want ECONNREFUSED after 100 ms", err, took)
	}
}
