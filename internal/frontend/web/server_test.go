package web

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
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
			began := time.Now()
			go io.WriteString(c, method+" /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123")
			if a := c.read(method + " /readyz"); a.StatusCode == 200 || !a.Close {
				t.Errorf("%s: the answer is %d, close %v", method, a.StatusCode, a.Close)
			}
			io.Copy(io.Discard, c)
			if took := time.Since(began); took > socket.FrameTimeout+time.Second {
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
		began, b := time.Now(), make([]byte, 8<<10)
		for {
			if _, err := c.Read(b); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took < metricsTimeout || took > metricsTimeout+2*time.Second {
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
		began := time.Now()
		f.stop()
		for err = nil; err == nil; {
			_, err = r.Body.Read(b)
		}
		if took := time.Since(began); took > time.Second {
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
		began := time.Now()
		f.stop()
		f.stopped <- <-f.stopped
		if took := time.Since(began); took > stopTimeout+time.Second {
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
