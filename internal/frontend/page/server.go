// Package page is the front end for people with a browser: one page that shows every
// service with its verdict, why and since when, and one service with its landmarks,
// checkers and past. It is live by server-sent events, and changes nothing.
//
// One goroutine, the feed, composes each event once and hands its bytes to all open
// pages; see feed.go. What a browser gets besides is in assets.
package page

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/frontend/statusmsg"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sampler"
)

// Config configures the page.
type Config struct {
	Source   statusmsg.Source
	Checkers statusmsg.CheckerSource
	// Earlier returns the changes of a service that earlier sidecars have seen, the oldest
	// first; nil = none are known.
	Earlier func(service string) []registry.Change
	// Evidence is what the processes did when their work began to fail; nil = it is not
	// shown. Only clients that may see it get it.
	Evidence Evidence
	// Plots are the last hour of the services; nil = it is not shown.
	Plots Plots
	// Host is the name of this machine, for people.
	Host string
	// Version is that of landmarkd, for people.
	Version string
}

// Plots returns the last hour of services. Its methods are safe for concurrent use.
type Plots interface {
	Plot(service string) (sampler.Plot, bool)
}

// Server serves the page. It is an http.Handler.
type Server struct {
	config Config
	began  time.Time     // times in events count from here
	joins  chan *stream  // to the feed
	pulls  chan *stream  // to the feed, of pages that have more to get
	leaves chan *stream  // to the feed
	ended  chan struct{} // closed when Run returns

	backlog backlog
}

// New returns a server whose pages are live once it runs.
func New(c Config) *Server {
	if c.Earlier == nil {
		c.Earlier = func(string) []registry.Change { return nil }
	}
	return &Server{
		config: c, began: time.Now(),
		joins: make(chan *stream), pulls: make(chan *stream), leaves: make(chan *stream), ended: make(chan struct{}),
	}
}

// policy allows the page what is its own, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// ServeHTTP answers GET and HEAD at /, /service/NAME, /events and below /evidence/ and
// /static/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the page changes nothing: use GET", http.StatusMethodNotAllowed)
		return
	}
	service, isService := strings.CutPrefix(r.URL.Path, "/service/")
	file, isFile := strings.CutPrefix(r.URL.Path, "/static/")
	one, isEvidence := strings.CutPrefix(r.URL.Path, "/evidence/")
	switch {
	case r.URL.Path == "/", isService && contract.CheckServiceName(service) == nil:
		serveAsset(w, r, "page.html")
	case isFile:
		serveAsset(w, r, file)
	case isEvidence:
		s.serveEvidence(w, r, one)
	case r.URL.Path == "/events":
		s.serveEvents(w, r)
	default:
		h.Set("Cache-Control", "no-store")
		http.Error(w, "there is no such page: see / for all services, and /service/NAME for one", http.StatusNotFound)
	}
}

// Run composes the events until ctx is done. Then it ends the streams and returns nil.
func (s *Server) Run(ctx context.Context) error {
	defer close(s.ended)
	newFeed(s).run(ctx)
	return nil
}

// elapsed returns the time in events, in milliseconds.
func (s *Server) elapsed() int64 { return time.Since(s.began).Milliseconds() }
