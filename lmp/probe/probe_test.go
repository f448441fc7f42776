package probe

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/nettest"
	"github.com/landmark-health/landmark/lmp"
)

// serve answers each frame from conn with what reply returns, until conn ends. An empty
// reply is not sent.
func serve(t *testing.T, conn net.Conn, reply func(lmp.Request, []byte) []byte) {
	buf := make([]byte, lmp.MaxDatagram)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		req, err := lmp.ParseRequest(buf[:n])
		if err != nil {
			t.Errorf("a request is malformed: %v", err)
			return
		}
		if b := reply(req, buf[:n]); len(b) > 0 {
			conn.Write(b)
		}
	}
}

// answerTo returns a serving answer to req.
func answerTo(req lmp.Request) lmp.Answer {
	return lmp.Answer{Kind: req.Kind, Status: lmp.StatusServing, Nonce: req.Nonce, Weight: 100}
}

func testKey(t *testing.T, number uint32) *lmp.Key {
	t.Helper()
	key, err := lmp.NewKey(number, []byte(strings.Repeat("k", 16)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustExchange(t *testing.T, req Request) *exchange {
	t.Helper()
	e, err := newExchange(req)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExchangeAcceptsOnlyItsAnswer(t *testing.T) {
	key, other := testKey(t, 1), testKey(t, 2)
	e := mustExchange(t, Request{Kind: lmp.KindCheck, Service: "epg", Key: key})
	req, err := lmp.ParseRequest(e.request)
	if err != nil {
		t.Fatal(err)
	}
	if string(req.Service) != "epg" || req.Nonce != e.nonce || key.Verify(e.request) != nil {
		t.Errorf("the request is %+v, verified: %v", req, key.Verify(e.request))
	}

	right := answerTo(req)
	if _, err := e.answer(lmp.AppendAnswer(nil, &right, lmp.MaxLength, key)); err != nil {
		t.Errorf("the right answer is rejected: %v", err)
	}
	if _, err := e.answer(lmp.AppendAnswer(nil, &right, lmp.MaxLength, nil)); !errors.Is(err, lmp.ErrUnauthenticated) {
		t.Errorf("unsigned: %v", err)
	}
	if _, err := e.answer(lmp.AppendAnswer(nil, &right, lmp.MaxLength, other)); !errors.Is(err, lmp.ErrUnauthenticated) {
		t.Errorf("signed with another key: %v", err)
	}
	if _, err := e.answer(e.request); !errors.Is(err, lmp.ErrMalformed) {
		t.Errorf("its own request: %v", err)
	}
	for name, change := range map[string]func(*lmp.Answer){
		"nonce": func(a *lmp.Answer) { a.Nonce++ },
		"kind":  func(a *lmp.Answer) { a.Kind = lmp.KindDescribe },
	} {
		wrong := right
		change(&wrong)
		if a, err := e.answer(lmp.AppendAnswer(nil, &wrong, lmp.MaxLength, key)); err == nil {
			t.Errorf("an answer with another %s is accepted: %+v", name, a)
		}
	}
}

func TestNoncesDiffer(t *testing.T) {
	req := Request{Kind: lmp.KindCheck}
	if a, b := mustExchange(t, req), mustExchange(t, req); a.nonce == b.nonce {
		t.Errorf("two requests have the nonce %x", a.nonce)
	}
}

func TestDoValidatesRequest(t *testing.T) {
	good := Request{Network: "udp", Address: "127.0.0.1:1", Kind: lmp.KindCheck}
	for name, change := range map[string]func(*Request){
		"unknown network":      func(req *Request) { req.Network = "unix" },
		"watch":                func(req *Request) { req.Kind = lmp.KindWatch },
		"no kind":              func(req *Request) { req.Kind = 0 },
		"long service name":    func(req *Request) { req.Service = strings.Repeat("s", 256) },
		"address without port": func(req *Request) { req.Address = "127.0.0.1" },
	} {
		req := good
		change(&req)
		start := time.Now()
		if _, err := Do(t.Context(), req); err == nil {
			t.Errorf("%s: Do accepted %+v", name, req)
		}
		if took := time.Since(start); took > defaultTimeout/2 {
			t.Errorf("%s: Do returned after %v, want at once", name, took)
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

func TestDoOverSockets(t *testing.T) {
	key := testKey(t, 1)
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		for _, network := range []string{"udp", "tcp"} {
			for _, kind := range []lmp.Kind{lmp.KindCheck, lmp.KindDescribe} {
				t.Run(network+" "+host+" "+kind.String(), func(t *testing.T) {
					reason := strings.Repeat("r", 200)
					address := listen(t, network, host+":0", func(req lmp.Request, frame []byte) []byte {
						if err := key.Verify(frame); err != nil {
							t.Error(err)
						}
						if string(req.Service) != "epg" || req.MaxAge != 30*time.Millisecond {
							t.Errorf("received %+v", req)
						}
						a := answerTo(req)
						a.Reason = reason
						limit := lmp.MaxLength
						if network == "udp" {
							limit = len(frame)
						}
						return lmp.AppendAnswer(nil, &a, limit, key)
					})
					ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
					defer cancel()
					a, err := Do(ctx, Request{network, address, kind, "epg", 30 * time.Millisecond, key})
					if err != nil {
						t.Fatal(err)
					}
					if a.Status != lmp.StatusServing || a.Truncated {
						t.Errorf("the answer is %+v, want serving and complete", a)
					}
					if hasReason := a.Reason == reason; hasReason != (kind == lmp.KindDescribe) {
						t.Errorf("the reason is %q", a.Reason)
					}
				})
			}
		}
	}
}

// listen answers requests with reply until the test ends, and returns its address.
func listen(t *testing.T, network, address string, reply func(lmp.Request, []byte) []byte) string {
	t.Helper()
	if network == "tcp" {
		return nettest.ServeTCP(t, address, func(conn net.Conn) { serve(t, conn, reply) })
	}
	return nettest.ServeUDP(t, address, func(datagram []byte) []byte {
		req, err := lmp.ParseRequest(datagram)
		if err != nil {
			t.Errorf("a request is malformed: %v", err)
		}
		return reply(req, datagram)
	})
}

func TestDoReturnsAtOnceWhenCancelled(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		address := listen(t, network, "127.0.0.1:0", func(lmp.Request, []byte) []byte {
			cancel()
			return nil
		})
		start := time.Now()
		_, err := Do(ctx, Request{Network: network, Address: address, Kind: lmp.KindCheck})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", network, err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: Do returned after %v, want at once", network, took)
		}
	}
}
