package web

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/logtest"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a server over a registry, in fake time.
type fixture struct {
	t        *testing.T
	registry *registry.Registry
	checkers *checkers.Tracker
	log      *logtest.Buffer
	listener *pipes
	server   *Server
	stop     context.CancelFunc
	stopped  chan error
}

// inBubble runs a test with a server on pipes, where a write blocks until it is read.
// change changes its configuration; nil = nothing.
func inBubble(t *testing.T, startGrace time.Duration, change func(*Config), test func(*testing.T, *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{
			t: t, registry: frontendtest.NewRegistry(t, startGrace), checkers: frontendtest.NewTracker(),
			log: new(logtest.Buffer), listener: newPipes(), stopped: make(chan error, 1),
		}
		c := Config{Listener: f.listener, Source: f.registry, Checkers: f.checkers, Starting: f.registry.Starting, Logger: slog.New(slog.NewTextHandler(f.log, nil))}
		if change != nil {
			change(&c)
		}
		server, err := New(c)
		f.server = server
		if err != nil {
			t.Fatal(err)
		}
		var ctx context.Context
		ctx, f.stop = context.WithCancel(t.Context())
		go func() { f.stopped <- server.Run(ctx) }()
		test(t, f)
		f.stop()
		if err := <-f.stopped; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

// pipes is a listener whose clients are in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipes() *pipes {
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close(); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 19535} }

// pipe is the server's end of a connection, from an address.
type pipe struct {
	net.Conn
	from *net.TCPAddr
}

func (p pipe) RemoteAddr() net.Addr { return p.from }

// client is a connected client.
type client struct {
	net.Conn
	t       *testing.T
	answers *bufio.Reader
}

// remote is the address of a client on another host.
const remote = "192.0.2.7"

func (f *fixture) connect() *client { return f.connectFrom(remote) }

func (f *fixture) connectFrom(address string) *client {
	conn, server := net.Pipe()
	f.listener.conns <- pipe{server, &net.TCPAddr{IP: net.ParseIP(address), Port: 40000}}
	return &client{conn, f.t, bufio.NewReader(conn)}
}

// answer is an answer and its body.
type answer struct {
	*http.Response
	request string // its first line
	body    string
}

// request sends a request, which ends where its headers end, and returns the answer.
func (c *client) request(first string, headers ...string) answer {
	c.t.Helper()
	text := first + " HTTP/1.1\r\nHost: epg.example\r\n" + strings.Join(append(headers, "\r\n"), "\r\n")
	if len(headers) == 0 {
		text = first + " HTTP/1.1\r\nHost: epg.example\r\n\r\n"
	}
	go io.WriteString(c, text)
	return c.read(first)
}

// read reads the answer to a request.
func (c *client) read(first string) answer {
	c.t.Helper()
	method, _, _ := strings.Cut(first, " ")
	r, err := http.ReadResponse(c.answers, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("%s: %v", first, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatalf("%s: %v", first, err)
	}
	return answer{r, first, string(body)}
}

// get sends a GET over a connection of its own.
func (f *fixture) get(path string, headers ...string) answer {
	f.t.Helper()
	c := f.connect()
	defer c.Close()
	return c.request("GET "+path, headers...)
}

// wantClosedAfter checks that the server closes the connection after exactly that time.
func (c *client) wantClosedAfter(want time.Duration) {
	c.t.Helper()
	began := time.Now()
	if _, err := io.Copy(io.Discard, c.answers); err != nil {
		c.t.Error(err)
	}
	if took := time.Since(began); took != want {
		c.t.Errorf("closed after %v, want %v", took, want)
	}
}

func (f *fixture) logged(n int, says string) {
	f.t.Helper()
	text := f.log.String()
	if strings.Count(text, "\n") != n || !strings.Contains(text, says) {
		f.t.Errorf("the log is %q, want %d lines that contain %q", text, n, says)
	}
}

// text returns a handler that answers with a text.
func textHandler(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, bytes.NewReader([]byte(text))) })
}
