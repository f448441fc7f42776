package probe

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// serve answers each frame that comes from conn with what reply makes of it, until
// conn ends; an empty reply is silence.
func serve(t *testing.T, conn net.Conn, reply func(lmp.Request, []byte) []byte) {
	buf := make([]byte, lmp.MaxDatagram)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		q, err := lmp.ParseRequest(buf[:n])
		if err != nil {
			t.Errorf("a request is malformed: %v", err)
			return
		}
		if b := reply(q, buf[:n]); len(b) > 0 {
			conn.Write(b)
		}
	}
}

// answerTo returns a serving answer to q.
func answerTo(q lmp.Request) lmp.Answer {
	return lmp.Answer{Kind: q.Kind, Status: lmp.StatusServing, Nonce: q.Nonce, Weight: 100}
}

func testKey(t *testing.T, number uint32) *lmp.Key {
	t.Helper()
	key, err := lmp.NewKey(number, []byte(strings.Repeat("k", 16)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustExchange(t *testing.T, q Request) *exchange {
	t.Helper()
	e, err := newExchange(q)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExchangeKnowsItsAnswer(t *testing.T) {
	key, other := testKey(t, 1), testKey(t, 2)
	e := mustExchange(t, Request{Kind: lmp.KindCheck, Service: "epg", Key: key})
	q, err := lmp.ParseRequest(e.request)
	if err != nil {
		t.Fatal(err)
	}
	if string(q.Service) != "epg" || q.Nonce != e.nonce || key.Verify(e.request) != nil {
		t.Errorf("the request is %+v, verified: %v", q, key.Verify(e.request))
	}

	right := answerTo(q)
	if _, err := e.answer(lmp.AppendAnswer(nil, &right, lmp.MaxLength, key)); err != nil {
		t.Errorf("its answer is rejected: %v", err)
	}
	if _, err := e.answer(lmp.AppendAnswer(nil, &right, lmp.MaxLength, nil)); !errors.Is(err, lmp.ErrUnauthenticated) {
		t.Errorf("unsigned: %v", err)
	}
	if _, err := e.answer(lmp.AppendAnswer(nil, &right, lmp.MaxLength, other)); !errors.Is(err, lmp.ErrUnauthenticated) {
		t.Errorf("signed with another key: %v", err)
	}
	if _, err := e.answer(e.request); !errors.Is(err, lmp.ErrMalformed) {
		t.Errorf("its own request, come back: %v", err)
	}
	for name, change := range map[string]func(*lmp.Answer){
		"nonce": func(a *lmp.Answer) { a.Nonce++ },
		"kind":  func(a *lmp.Answer) { a.Kind = lmp.KindDescribe },
	} {
		wrong := right
		change(&wrong)
		if a, err := e.answer(lmp.AppendAnswer(nil, &wrong, lmp.MaxLength, key)); err == nil {
			t.Errorf("another %s is taken: %+v", name, a)
		}
	}
}

func TestNoncesDiffer(t *testing.T) {
	q := Request{Kind: lmp.KindCheck}
	if a, b := mustExchange(t, q), mustExchange(t, q); a.nonce == b.nonce {
		t.Errorf("two questions have the nonce %x", a.nonce)
	}
}

func TestAskRefusesQuestions(t *testing.T) {
	good := Request{Network: "udp", Address: "127.0.0.1:1", Kind: lmp.KindCheck}
	for name, change := range map[string]func(*Request){
		"network": func(q *Request) { q.Network = "unix" },
		"kind":    func(q *Request) { q.Kind = lmp.KindWatch },
		"no kind": func(q *Request) { q.Kind = 0 },
		"service": func(q *Request) { q.Service = strings.Repeat("s", 256) },
		"address": func(q *Request) { q.Address = "127.0.0.1" },
	} {
		q := good
		change(&q)
		begun := time.Now()
		if _, err := Do(t.Context(), q); err == nil {
			t.Errorf("%s: %+v was asked", name, q)
		}
		if took := time.Since(begun); took > defaultTimeout/2 {
			t.Errorf("%s: it took %v to see", name, took)
		}
	}
}

// Over real sockets, of both networks and both families.
func TestAsk(t *testing.T) {
	key := testKey(t, 1)
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		for _, network := range []string{"udp", "tcp"} {
			for _, kind := range []lmp.Kind{lmp.KindCheck, lmp.KindDescribe} {
				t.Run(network+" "+host+" "+kind.String(), func(t *testing.T) {
					reason := strings.Repeat("r", 200)
					address := listen(t, network, host+":0", func(q lmp.Request, request []byte) []byte {
						if _, err := (lmp.Keys{key}).Verify(request); err != nil {
							t.Error(err)
						}
						if string(q.Service) != "epg" || q.MaxAge != 30*time.Millisecond {
							t.Errorf("asked %+v", q)
						}
						a := answerTo(q)
						a.Reason = reason
						limit := lmp.MaxLength
						if network == "udp" {
							limit = len(request)
						}
						return lmp.AppendAnswer(nil, &a, limit, key)
					})
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					defer cancel()
					a, err := Do(ctx, Request{network, address, kind, "epg", 30 * time.Millisecond, key})
					if err != nil {
						t.Fatal(err)
					}
					if a.Status != lmp.StatusServing || a.Truncated {
						t.Errorf("answer %+v", a)
					}
					if described := a.Reason == reason; described != (kind == lmp.KindDescribe) {
						t.Errorf("the reason is %q", a.Reason)
					}
				})
			}
		}
	}
}

// listen serves by reply on a free port until the test ends, and returns it.
func listen(t *testing.T, network, address string, reply func(lmp.Request, []byte) []byte) string {
	t.Helper()
	if network == "tcp" {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				serve(t, conn, reply)
				conn.Close()
			}
		}()
		return l.Addr().String()
	}
	conn, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, lmp.MaxDatagram)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			q, err := lmp.ParseRequest(buf[:n])
			if err != nil {
				t.Errorf("a request is malformed: %v", err)
			}
			conn.WriteTo(reply(q, buf[:n]), from)
		}
	}()
	return conn.LocalAddr().String()
}

// Cancelling ends the wait at once, though the deadline is far.
func TestAskIsCancelled(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		address := listen(t, network, "127.0.0.1:0", func(lmp.Request, []byte) []byte {
			cancel()
			return nil
		})
		begun := time.Now()
		_, err := Do(ctx, Request{Network: network, Address: address, Kind: lmp.KindCheck})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", network, err)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("%s: it took %v", network, took)
		}
	}
}

func TestValidateAddress(t *testing.T) {
	for _, address := range []string{"10.0.0.7:19533", "[2001:db8::7]:19533", "[fe80::1%eth0]:1", "epg.example:65535"} {
		if err := ValidateAddress(address); err != nil {
			t.Error(err)
		}
	}
	for _, address := range []string{"", "10.0.0.7", ":19533", "10.0.0.7:", "10.0.0.7:0", "10.0.0.7:65536", "10.0.0.7:lmp", "2001:db8::7:19533"} {
		if err := ValidateAddress(address); err == nil || !strings.Contains(err.Error(), "10.0.0.7:19533") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
