// Package web is the front end for HTTP: it answers health checks at /livez, /readyz,
// /startupz and /healthz, and serves the metrics and the page, which other packages make.
// docs/http.md describes it.
//
// prometheus/exporter-toolkit serves it, so that TLS, client certificates and users are
// configured by the file that operators already know from Prometheus's exporters. It
// speaks HTTP/1.1 only: then a connection has one request at a time, and limits on
// connections bound the requests too.
//
// A request passes, in this order:
//
//  1. accept: the connection has a slot (socket.LimitPer, in package sidecar), and gets
//     limits on its buffers (listener, conn);
//  2. pace: once the request is read, it waits until its client may get one more answer
//     (pacer);
//  3. before the toolkit: a body or a method that no path takes is refused, and a password
//     waits until its client may try one more (beforeToolkit, attempts);
//  4. the toolkit: it reads its file, and checks the password;
//  5. ServeHTTP: the path.
//
// Whatever waits, also behind the toolkit, ends when the connection is closed: by its
// client, or by the listener because another connection needs the slot.
package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"

	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/socket"
)

const (
	// maxHeader is the length of the longest request line and headers together, in
	// bytes. net/http adds 4096. It leaves room for the cookies that a browser has
	// of other programs of the host.
	maxHeader = 16 << 10
	// stopTimeout is how long Run waits for open requests before it returns.
	stopTimeout = 2 * time.Second
)

// Config configures a Server.
type Config struct {
	Listener net.Listener      // to serve on; Run closes it
	File     string            // of the toolkit, with TLS and users; "" = plain HTTP for all clients
	Source   frontend.Source   // gives the answers
	Checkers frontend.Checkers // records who received them
	// Starting reports whether landmarkd has just started, and programs may still
	// come back to it; nil = it has not.
	Starting func() bool
	// Metrics answers /metrics; nil = there are none. It is called for several requests
	// at once, and must hold little memory for each: a client may read slowly.
	Metrics http.Handler
	// Page answers browsers at / and /service/NAME, and all clients at /events and
	// below /evidence/ and /static/; nil = there is no page. It gets only GET and
	// HEAD, and must not redirect: many checkers take a redirect for a success.
	// frontend.MaySeeEvidence says whether it may show evidence to the client.
	Page   http.Handler
	Logger *slog.Logger // nil = nothing is logged
}

// Server answers HTTP requests. It is made by New.
type Server struct {
	config Config
	http   *http.Server
	log    *slog.Logger // of what clients cause, and so limited
	users  users

	answers          frontend.Answers // to health checks
	malformed        atomic.Uint64    // requests with a method or query that is wrong
	noPath           atomic.Uint64    // requests at paths at which there is nothing
	overloaded       atomic.Uint64    // health checks without an answer, because too many wait
	tooFast          atomic.Uint64    // requests of clients that send too many
	tooManyPasswords atomic.Uint64    // requests with a password, of which too many wait
}

// Answers returns the answers to health checks.
func (s *Server) Answers() *frontend.Answers { return &s.answers }

// Refused yields the reasons for which requests were refused, and how many were.
func (s *Server) Refused(yield func(reason string, n uint64) bool) {
	_ = yield("malformed", s.malformed.Load()) && yield("unknown_path", s.noPath.Load()) && yield("overloaded", s.overloaded.Load()) &&
		yield("rate", s.tooFast.Load()) && yield("passwords", s.tooManyPasswords.Load())
}

// New returns a server. The error says what is wrong with the file.
func New(c Config) (*Server, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := CheckFile(c.File); err != nil {
		return nil, err
	}
	s := &Server{config: c, log: slog.New(newLogLimit(c.Logger.Handler())), users: users{file: c.File}}
	s.http = &http.Server{
		Handler:                      s,
		Protocols:                    new(http.Protocols),
		MaxHeaderBytes:               maxHeader,
		ReadHeaderTimeout:            socket.FrameTimeout,
		IdleTimeout:                  socket.IdleTimeout,
		ConnContext:                  withConn,
		ConnState:                    s.waitForPace,
		DisableGeneralOptionsHandler: true, // it answers OPTIONS * with 200
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	s.http.Protocols.SetHTTP1(true)
	return s, nil
}

// CheckFile returns what is wrong with the toolkit's file and the files that it names.
// The error begins with the path. Without a path there is nothing to check.
func CheckFile(path string) error {
	err := toolkit.Validate(path)
	var file *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &file) && file.Path == path:
		return fmt.Errorf("%s: %w; give the path of a YAML file that landmarkd may read", path, file.Err)
	default:
		return fmt.Errorf("%s: %w", path, err)
	}
}

// Addr returns the address of the listener.
func (s *Server) Addr() net.Addr { return s.config.Listener.Addr() }

// Run serves until ctx is done, or the listener fails, and closes the listener. A
// request that still waits then gets no answer. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	s.http.BaseContext = func(net.Listener) context.Context { return base }
	// The toolkit makes its handler the server's only once it serves.
	serving := sync.OnceFunc(func() { s.http.Handler = s.beforeToolkit(s.http.Handler) })
	served := make(chan error, 1)
	go func() {
		defer s.config.Listener.Close()
		served <- toolkit.Serve(listener{s.config.Listener, newPacer(), serving}, s.http, &toolkit.FlagConfig{WebConfigFile: &s.config.File}, s.log)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serving HTTP on %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	stop()
	timeout, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if s.http.Shutdown(timeout) != nil {
		s.http.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP on %s: %w", s.Addr(), err)
	}
	return nil
}
