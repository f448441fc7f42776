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

// askPipe asks a server that replies by reply, with time to spare of the bubble's
// clock, and returns what came of it and after how long.
func askPipe(t *testing.T, e *exchange, limit time.Duration, wrap func(net.Conn) net.Conn, reply func(lmp.Request, []byte) []byte) (a lmp.Answer, took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe() // keeps the bounds of what is written, as UDP does
		go serve(t, server, reply)
		defer server.Close()
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		begun := time.Now()
		a, err = exchangeUDP(ctx, wrap(client), e, func() {})
		took = time.Since(begun)
	})
	return a, took, err
}

func unwrapped(conn net.Conn) net.Conn { return conn }

func TestDatagramsAreSentAgain(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindCheck, Service: "epg"})
	var times []time.Time
	_, took, err := askPipe(t, e, time.Second, unwrapped, func(_ lmp.Request, b []byte) []byte {
		times = append(times, time.Now())
		if !bytes.Equal(b, e.request) {
			t.Errorf("% X was sent, want % X", b, e.request)
		}
		return nil
	})
	if !errors.Is(err, errTimeout) || took != time.Second {
		t.Errorf("%v after %v, want silence after exactly 1 s", err, took)
	}
	if len(times) < 10 || len(times) > 20 {
		t.Errorf("the question was sent %d times", len(times))
	}
	for i := 2; i < len(times); i++ {
		before, wait := times[i-1].Sub(times[i-2]), times[i].Sub(times[i-1])
		if wait > before || wait < minRetryDelay {
			t.Errorf("waited %v, then %v", before, wait)
		}
	}
	if wait := times[1].Sub(times[0]); wait != 250*time.Millisecond {
		t.Errorf("first waited %v, want a quarter of what was left", wait)
	}
}

func TestDatagramsAnswerToALaterCopy(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindCheck})
	sent := 0
	a, took, err := askPipe(t, e, time.Second, unwrapped, func(q lmp.Request, _ []byte) []byte {
		if sent++; sent < 3 {
			return nil
		}
		a := answerTo(q)
		return lmp.AppendAnswer(nil, &a, lmp.MaxDatagram, nil)
	})
	if err != nil || a.Status != lmp.StatusServing {
		t.Fatalf("%+v, %v", a, err)
	}
	if want := 437500 * time.Microsecond; took != want { // 250 + 187.5 ms
		t.Errorf("it took %v, want %v", took, want)
	}
}

func TestDatagramsOfOthersArePassedOver(t *testing.T) {
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
			a.Status = lmp.StatusNotServing // to tell it from the others
			return lmp.AppendAnswer(nil, &a, lmp.MaxDatagram, key)
		},
	}
	a, _, err := askPipe(t, e, time.Second, unwrapped, func(q lmp.Request, _ []byte) []byte {
		reply := replies[0]
		replies = replies[1:]
		return reply(answerTo(q), q)
	})
	if err != nil || a.Status != lmp.StatusNotServing {
		t.Errorf("%+v, %v; want the one answer that was signed and bore the nonce", a, err)
	}
}

func TestWrongDatagramsAreTold(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindCheck, Key: testKey(t, 1)})
	_, took, err := askPipe(t, e, time.Second, unwrapped, func(q lmp.Request, _ []byte) []byte {
		a := answerTo(q)
		return lmp.AppendAnswer(nil, &a, lmp.MaxDatagram, nil)
	})
	if !errors.Is(err, lmp.ErrUnauthenticated) || !errors.Is(err, errTimeout) || took != time.Second {
		t.Errorf("%v after %v, want that answers were not signed, after 1 s", err, took)
	}
}

func TestDescribeMakesRoomForItsAnswer(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindDescribe, Service: "epg"})
	_, _, err := askPipe(t, e, time.Second, unwrapped, func(q lmp.Request, b []byte) []byte {
		if len(b) != 1232 {
			t.Errorf("the datagram has %d bytes, want 1232", len(b))
		}
		a := answerTo(q)
		return lmp.AppendAnswer(nil, &a, len(b), nil)
	})
	if err != nil {
		t.Error(err)
	}
}

// refused is a connection whose reads fail as if by ICMP until healed.
type refused struct {
	net.Conn
	heal  time.Time
	reads int
}

func (r *refused) Read(b []byte) (int, error) {
	r.reads++
	if time.Now().Before(r.heal) {
		return 0, &net.OpError{Op: "read", Err: os.NewSyscallError("recvfrom", syscall.ECONNREFUSED)}
	}
	return r.Conn.Read(b)
}

func TestRefusalIsNotFinal(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindCheck})
	starting := func(after time.Duration) (lmp.Answer, time.Duration, *refused, error) {
		var r *refused
		a, took, err := askPipe(t, e, time.Second, func(conn net.Conn) net.Conn {
			r = &refused{Conn: conn, heal: time.Now().Add(after)}
			return r
		}, func(q lmp.Request, _ []byte) []byte {
			if time.Now().Before(r.heal) {
				return nil
			}
			a := answerTo(q)
			return lmp.AppendAnswer(nil, &a, lmp.MaxDatagram, nil)
		})
		return a, took, r, err
	}

	if a, took, _, err := starting(300 * time.Millisecond); err != nil || a.Status != lmp.StatusServing || took > 300*time.Millisecond+redialDelay {
		t.Errorf("a server that starts after 300 ms: %+v, %v after %v", a, err, took)
	}
	_, took, r, err := starting(time.Minute)
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "no answer in time") || took != time.Second {
		t.Errorf("a server that never starts: %v after %v, want the refusal after 1 s", err, took)
	}
	if r.reads > 30 {
		t.Errorf("%d reads of a socket that only fails", r.reads)
	}
}

// reluctant is a connection whose every other write tells an earlier refusal.
type reluctant struct {
	net.Conn
	writes int
}

func (r *reluctant) Write(b []byte) (int, error) {
	if r.writes++; r.writes%2 == 1 {
		return 0, syscall.ECONNREFUSED
	}
	return r.Conn.Write(b)
}

func TestWriteThatTellsAnEarlierRefusal(t *testing.T) {
	e := mustExchange(t, Request{Kind: lmp.KindCheck})
	_, took, err := askPipe(t, e, time.Second, func(conn net.Conn) net.Conn { return &reluctant{Conn: conn} },
		func(q lmp.Request, _ []byte) []byte {
			a := answerTo(q)
			return lmp.AppendAnswer(nil, &a, lmp.MaxDatagram, nil)
		})
	if err != nil || took != 0 {
		t.Errorf("%v after %v, want an answer to the second write at once", err, took)
	}
}

// A port that nobody listens on: the kernel's own refusal, and the deadline.
func TestRefusalByTheKernel(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := conn.LocalAddr().String()
	conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err = Do(ctx, Request{Network: "udp", Address: address, Kind: lmp.KindCheck})
	if took := time.Since(begun); !errors.Is(err, syscall.ECONNREFUSED) || took < 99*time.Millisecond {
		t.Errorf("%v after %v, want a refusal after 100 ms", err, took)
	}
}
