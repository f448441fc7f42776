package web

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/socket"
)

// A request must arrive whole within 5 s, even if bytes keep coming.
func TestUnfinishedRequestTimesOut(t *testing.T) {
	inBubble(t, 0, nil, func(t *testing.T, f *fixture) {
		c := f.connect()
		defer c.Close()
		io.WriteString(c, "GET /readyz HTTP/1.1\r\n")
		for range 4 {
			time.Sleep(time.Second)
			io.WriteString(c, "X-A: b\r\n")
		}
		c.wantClosedAfter(socket.FrameTimeout - 4*time.Second)
	})
}

func TestIdleConnectionTimesOut(t *testing.T) {
	inBubble(t, 0, nil, func(t *testing.T, f *fixture) {
		silent := f.connect()
		defer silent.Close()
		silent.wantClosedAfter(socket.FrameTimeout)
		c := f.connect()
		defer c.Close()
		c.request("GET /readyz")
		time.Sleep(4 * time.Minute)
		c.request("GET /readyz")
		c.wantClosedAfter(socket.IdleTimeout)
	})
}

func TestUnreadAnswerTimesOut(t *testing.T) {
	inBubble(t, 0, func(c *Config) { c.Metrics = textHandler(strings.Repeat("x", 1<<20)) }, func(t *testing.T, f *fixture) {
		for _, path := range []string{"/readyz", "/metrics"} {
			c := f.connect()
			io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
			time.Sleep(socket.FrameTimeout)
			synctest.Wait()
			if rest, _ := io.ReadAll(c); len(rest) > 0 {
				t.Errorf("%s: %d bytes after the time-out", path, len(rest))
			}
			c.Close()
		}
	})
}

// An answer to a request with a body does not wait for a client that does not send it.
func TestUnsentBodyTimesOut(t *testing.T) {
	inBubble(t, 0, nil, func(t *testing.T, f *fixture) {
		for _, method := range []string{"GET", "POST"} {
			c := f.connect()
			begun := time.Now()
			go io.WriteString(c, method+" /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123")
			if a := c.read(method + " /readyz"); a.StatusCode == 200 || !a.Close {
				t.Errorf("%s: the answer is %d, close %v", method, a.StatusCode, a.Close)
			}
			io.Copy(io.Discard, c)
			if took := time.Since(begun); took > socket.FrameTimeout+time.Second {
				t.Errorf("%s: the connection was open for %v", method, took)
			}
			c.Close()
		}
	})
}

func TestLargeRequestsAreRefused(t *testing.T) {
	inBubble(t, 0, nil, func(t *testing.T, f *fixture) {
		large := strings.Repeat("x", maxHeader+4096)
		for _, request := range []string{
			"GET /readyz?service=" + large + " HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET /readyz HTTP/1.1\r\nHost: x\r\nCookie: " + large + "\r\n\r\n",
			"GET /readyz HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("a:\r\n", len(large)/4) + "\r\n",
		} {
			c := f.connect()
			go io.WriteString(c, request)
			if a := c.read("GET"); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge || !a.Close {
				t.Errorf("%.40q…: the answer is %d, close %v", request, a.StatusCode, a.Close)
			}
			c.Close()
		}
		a := f.get("/readyz?service="+strings.Repeat("x", maxHeader/2), "Cookie: "+strings.Repeat("x", maxHeader/4))
		a.check(t, 404, "SERVICE_UNKNOWN")
	})
}

// A slow reader of the metrics has 10 s in all.
func TestSlowReaderOfMetricsTimesOut(t *testing.T) {
	inBubble(t, 0, func(c *Config) { c.Metrics = textHandler(strings.Repeat("x", 1<<20)) }, func(t *testing.T, f *fixture) {
		c := f.connect()
		defer c.Close()
		io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
		begun, b := time.Now(), make([]byte, 8<<10)
		for {
			if _, err := c.Read(b); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(begun); took < metricsTimeout || took > metricsTimeout+2*time.Second {
			t.Errorf("the client could read for %v", took)
		}
	})
}

// A page that streams may stream for as long as the client reads, and ends when the
// server stops.
func TestStreamOfThePage(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := 0; ; i++ {
			select {
			case <-r.Context().Done():
				return
			case <-time.After(time.Second):
				fmt.Fprintf(w, "data: %d\n\n", i)
				http.NewResponseController(w).Flush()
			}
		}
	})
	inBubble(t, 0, func(c *Config) { c.Page = page }, func(t *testing.T, f *fixture) {
		reader, sleeper := f.connect(), f.connect()
		defer reader.Close()
		defer sleeper.Close()
		for _, c := range []*client{reader, sleeper} {
			io.WriteString(c, "GET /events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
		}
		r, err := http.ReadResponse(reader.answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		for range 3600 {
			if _, err := r.Body.Read(b); err != nil {
				t.Fatal(err)
			}
		}
		if rest, err := io.ReadAll(sleeper); len(rest) > 0 {
			t.Errorf("a client that read nothing for an hour gets %q, %v", rest, err)
		}
		begun := time.Now()
		f.stop()
		for err = nil; err == nil; {
			_, err = r.Body.Read(b)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("the stream ended %v after the stop: %v", took, err)
		}
	})
}

// A handler that hangs does not keep the server from stopping.
func TestStopDoesNotWaitForHandlers(t *testing.T) {
	var release chan struct{}
	page := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })
	inBubble(t, 0, func(c *Config) { c.Page, release = page, make(chan struct{}) }, func(t *testing.T, f *fixture) {
		c := f.connect()
		defer c.Close()
		io.WriteString(c, "GET /static/page HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait()
		begun := time.Now()
		f.stop()
		f.stopped <- <-f.stopped
		if took := time.Since(begun); took > stopTimeout+time.Second {
			t.Errorf("the stop took %v", took)
		}
		close(release)
	})
}

// A browser gets the page; what asks for no HTML gets the health that the page would show.
func TestPageIsForBrowsers(t *testing.T) {
	inBubble(t, 0, func(c *Config) { c.Page = textHandler("page") }, func(t *testing.T, f *fixture) {
		frontendtest.NewProcess(t, f.registry, "epg").Stall()
		const firefox = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
		for _, path := range []string{"/", "/service/epg"} {
			if a := f.get(path, firefox); a.StatusCode != 200 || a.body != "page" {
				t.Errorf("%s of a browser: %d %q", path, a.StatusCode, a.body)
			}
			for _, accept := range []string{"Accept: */*", "Accept: text/*", "Accept: text/plain", "X-A: text/html", "Accept: text/htmlx"} {
				f.get(path, accept).check(t, 503, "NOT_SERVING stalled: ")
			}
		}
		if a := f.get("/static/style.css"); a.body != "page" {
			t.Errorf("a style sheet: %d %q", a.StatusCode, a.body)
		}
		f.get("/readyz?service=epg", firefox).check(t, 503, "NOT_SERVING stalled: ")
	})
}

// What clients cause is logged once a minute at most.
func TestLogIsLimited(t *testing.T) {
	page := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a defect") })
	inBubble(t, 0, func(c *Config) { c.Page = page }, func(t *testing.T, f *fixture) {
		crash := func() {
			c := f.connect()
			io.WriteString(c, "GET /static/page HTTP/1.1\r\nHost: x\r\n\r\n")
			io.Copy(io.Discard, c)
			c.Close()
		}
		for range 100 {
			crash()
		}
		f.logged(1, "a defect")
		time.Sleep(logInterval)
		crash()
		f.logged(2, "others_since_last_line=99")
	})
}

// failing is a listener that fails.
type failing struct{ *pipes }

func (failing) Accept() (net.Conn, error) { return nil, errors.New("no more") }

func TestRunReturnsTheErrorOfTheListener(t *testing.T) {
	s, err := New(Config{Listener: failing{newPipes()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || err.Error() != "serving HTTP on 127.0.0.1:19535: no more" {
		t.Errorf("Run returned %v", err)
	}
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
		const seconds = 4
		time.Sleep(seconds * time.Second)
		if n, most := answers.Load(), int32(seconds*clientPerSecond+clientBurst+20*(seconds*connPerSecond+connBurst)+20); n > most || n < most*9/10 {
			t.Errorf("the client got %d answers in %d s, want at most %d, and almost as many", n, seconds, most)
		}
		slow := map[string]*client{}
		for _, from := range []string{remote, "192.0.2.8"} {
			slow[from] = f.connectFrom(from)
		}
		for range 5 {
			time.Sleep(time.Second)
			for from, c := range slow {
				begun := time.Now()
				c.request("GET /readyz?service=epg")
				if took := time.Since(begun); took > 0 {
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
		at := func(address string) *pace { return p.add(pipe{nil, &net.TCPAddr{IP: net.ParseIP(address), Port: 1}}) }
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
