package web

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/socket"
)

// withSlots has the server's listener give at most n connections.
func withSlots(n int) func(*Config) {
	return func(c *Config) {
		c.Listener = socket.LimitPer(c.Listener, socket.QuotaByAddress(n, func(netip.Prefix) {}))
	}
}

// An address opens more connections than it may get answers, on and on. What waits for an
// answer stays bounded, by the slots or by the longest wait, and so does the wait of others
// at the same address.
func TestFloodOfConnectionsLeavesNoDebt(t *testing.T) {
	for _, slots := range []int{20, 100_000} {
		t.Run(fmt.Sprint(slots, " slots"), func(t *testing.T) {
			inBubble(t, 0, withSlots(slots), func(t *testing.T, f *fixture) {
				before := runtime.NumGoroutine()
				const perMillisecond = 8
				for range 1000 {
					for range perMillisecond {
						c := f.connect()
						go func() {
							io.WriteString(c, "GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
							io.Copy(io.Discard, c)
							c.Close()
						}()
					}
					time.Sleep(time.Millisecond)
				}
				synctest.Wait()
				// Each connection has its goroutine, the server's two, and one of the test's.
				waiting := min(slots, int(clientPerSecond*maxPaceWait/time.Second))
				if n := runtime.NumGoroutine() - before; n > 4*(waiting+2*perMillisecond) {
					t.Errorf("%d goroutines serve at most %d connections", n, waiting)
				}
				time.Sleep(time.Millisecond)
				began := time.Now()
				if a := f.get("/-/healthy"); a.StatusCode != 200 {
					t.Errorf("another checker gets %d", a.StatusCode)
				}
				if took := time.Since(began); took > maxPaceWait {
					t.Errorf("another checker of the same address waited for %v", took)
				}
				refused := maps.Collect(f.server.Refused)["rate"]
				if (refused > 0) != (slots > 1000) {
					t.Errorf("%d requests are refused", refused)
				}
				time.Sleep(time.Second)
			})
		})
	}
}

// A request that waits ends when another connection displaces its own, though the client
// has sent more than the server has read.
func TestDisplacedRequestEnds(t *testing.T) {
	ended := make(chan time.Time, 1)
	page := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		ended <- time.Now()
	})
	change := func(c *Config) { c.Page = page; withSlots(1)(c) }
	for _, more := range []string{"", "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"} {
		inBubble(t, 0, change, func(t *testing.T, f *fixture) {
			ended = make(chan time.Time, 1)
			c := f.connect()
			defer c.Close()
			io.WriteString(c, "GET /static/page HTTP/1.1\r\nHost: x\r\n\r\n")
			synctest.Wait() // the server has read no further
			go io.WriteString(c, more)
			time.Sleep(time.Second)
			began := time.Now()
			f.get("/-/healthy")
			if took := (<-ended).Sub(began); took > 0 {
				t.Errorf("before %q it ended after %v", more, took)
			}
		})
	}
}

// A request with a body is refused at once, before anything waits.
func TestBodyIsRefused(t *testing.T) {
	inBubble(t, time.Hour, nil, func(t *testing.T, f *fixture) {
		for _, tt := range []struct {
			first, headers string
			code           int
		}{
			{"GET", "Content-Length: 3", 400},
			{"HEAD", "Content-Length: 3", 400},
			{"GET", "Transfer-Encoding: chunked", 400},
			{"GET", "Transfer-Encoding: chunked\r\nExpect: 100-continue", 400},
			{"GET", "Content-Length: 3\r\nAuthorization: Basic eDp5", 400},
			{"POST", "Content-Length: 3", 405},
			{"POST", "Content-Length: 3\r\nAuthorization: Basic eDp5", 405},
			{"POST", "Content-Length: 0", 405},
		} {
			began := time.Now()
			c := f.connect()
			a := c.request(tt.first+" /readyz?service=epg", tt.headers, "", "")
			a.check(t, tt.code, map[string]string{"GET": "a request has no body: ", "POST": "use GET or HEAD"}[tt.first])
			if took := time.Since(began); took > 0 || a.Header.Get("Content-Type") == "" || (tt.headers != "Content-Length: 0") != a.Close {
				t.Errorf("%s %q: after %v, close %v, %v", tt.first, tt.headers, took, a.Close, a.Header)
			}
			c.Close()
		}
		if n := maps.Collect(f.server.Refused)["malformed"]; n != 8 {
			t.Errorf("%d requests are malformed, want 8", n)
		}
		if a := f.get("/-/healthy", "Content-Length: 0", "", ""); a.StatusCode != 200 {
			t.Errorf("without a body: %d", a.StatusCode)
		}
	})
}

// A client gets 4,000 answers a second, however many connections it has, after a burst. A
// slow connection does not wait for busy ones of the same address, nor does another client.
func TestClientsArePaced(t *testing.T) {
	inBubble(t, 0, nil, func(t *testing.T, f *fixture) {
		frontendtest.NewProcess(t, f.registry, "epg").Work()
		var answers atomic.Int32
		stop := make(chan struct{})
		var busy []*client
		for range 20 {
			c := f.connect()
			busy = append(busy, c)
			go func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := io.WriteString(c, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
						return
					}
					r, err := http.ReadResponse(c.answers, nil)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					answers.Add(1)
				}
			}()
		}
		const seconds = 2
		time.Sleep(seconds * time.Second)
		if n, most := answers.Load(), int32(seconds*clientPerSecond+clientBurst+20*(seconds*connPerSecond+connBurst)+20); n > most || n < most*9/10 {
			t.Errorf("the client got %d answers in %d s, want at most %d, and almost as many", n, seconds, most)
		}
		slow := map[string]*client{}
		for _, from := range []string{remote, "192.0.2.8"} {
			slow[from] = f.connectFrom(from)
		}
		for range 2 {
			time.Sleep(time.Second)
			for from, c := range slow {
				began := time.Now()
				c.request("GET /readyz?service=epg")
				if took := time.Since(began); took > 0 {
					t.Errorf("an answer to a slow connection of %s took %v", from, took)
				}
			}
		}
		for _, c := range slow {
			c.Close()
		}
		close(stop)
		for _, c := range busy {
			c.Close()
		}
	})
}

// A client that is gone is forgotten.
func TestPacerForgetsClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer()
		at := func(address string) *conn {
			return newConn(pipe{nil, &net.TCPAddr{IP: net.ParseIP(address), Port: 1}}, p)
		}
		kept := at("192.0.2.1")
		for i := range 1000 {
			at(fmt.Sprintf("192.0.2.%d", 2+i%200)).end()
		}
		time.Sleep(forgetAfter)
		again := at("192.0.2.1")
		if len(p.clients) != 1 || again.client != kept.client || kept.client.conns != 2 {
			t.Errorf("there are %d clients, and %d connections of the first", len(p.clients), kept.client.conns)
		}
		kept.end()
		kept.end()
		again.end()
		time.Sleep(forgetAfter)
		at("2001:db8::1")
		if same := at("2001:db8::2"); len(p.clients) != 1 || same.client.conns != 2 {
			t.Errorf("there are %d clients", len(p.clients))
		}
	})
}

// A client with a right password is kept while it has no connection, if they are few.
func TestPacerKeepsClientsWithRightPasswords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer()
		at := func(i int) *conn {
			return newConn(pipe{nil, &net.TCPAddr{IP: net.IPv4(192, 0, byte(i>>8), byte(i)), Port: 1}}, p)
		}
		const more = 10
		var all []*conn
		for i := range maxKnown + more {
			c := at(i)
			c.client.attempts.record(credentials{1}, right)
			all = append(all, c)
			c.end()
			time.Sleep(time.Millisecond)
		}
		at(10_000).end()
		time.Sleep(forgetKnownAfter - time.Minute)
		at(10_001).end() // sweeps
		if len(p.clients) != maxKnown+1 {
			t.Errorf("%d clients are kept, want %d with a right password and the last", len(p.clients), maxKnown)
		}
		if last := all[len(all)-1]; at(len(all)-1).client != last.client || at(more-1).client == all[more-1].client || at(more).client != all[more].client {
			t.Error("others than the latest with a right password are kept")
		}
		time.Sleep(2 * time.Minute)
		at(10_002)
		if open := 4; len(p.clients) != open {
			t.Errorf("%d clients are kept, want the %d that have connections", len(p.clients), open)
		}
	})
}
