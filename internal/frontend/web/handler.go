package web

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/socket"
)

// beforeToolkit returns the handler of all requests. The toolkit's handler reads the
// file, checks the password, and then calls ServeHTTP.
func (s *Server) beforeToolkit(toolkit http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if limitedConn(connOf(r)).closed.Err() != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			s.refuse(w, r, http.StatusMethodNotAllowed, "use GET or HEAD")
		case r.ContentLength != 0:
			s.refuse(w, r, http.StatusBadRequest, "a request has no body: leave out Content-Length and Transfer-Encoding")
		default:
			s.serveToolkit(toolkit, w, r)
		}
	})
}

// refuse answers a malformed request, which may have a body.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, code int, why string) {
	s.malformed.Add(1)
	if r.ContentLength != 0 {
		// net/http reads what the client still sends, with this deadline.
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(socket.FrameTimeout))
		w.Header().Set("Connection", "close")
	}
	say(w, code, why)
}

// ServeHTTP answers one request that has passed the toolkit: a GET or HEAD without a body.
// It never redirects, not even to a cleaner path, because HAProxy takes a redirect for a
// success, and so does kubelet in part.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	passedToolkit(r)
	if aspect, ok := healthPaths[r.URL.Path]; ok {
		q, err := parse(aspect, r.URL.RawQuery)
		if err != nil {
			s.refuse(w, r, http.StatusBadRequest, err.Error())
			return
		}
		s.serveHealth(w, r, q)
		return
	}
	switch r.URL.Path {
	case "/-/healthy":
		socket.MarkAnswered(connOf(r))
		say(w, http.StatusOK, "landmarkd is healthy. This says nothing about services: for these, use /readyz.")
	case "/-/ready":
		socket.MarkAnswered(connOf(r))
		s.serveReady(w)
	case "/metrics":
		socket.MarkAnswered(connOf(r))
		s.serveMetrics(w, r)
	default:
		s.servePage(w, r)
	}
}

// serveReady says whether landmarkd has its start behind it.
func (s *Server) serveReady(w http.ResponseWriter) {
	if s.config.Starting != nil && s.config.Starting() {
		say(w, http.StatusServiceUnavailable, "landmarkd has just started, and waits for its programs to come back")
		return
	}
	say(w, http.StatusOK, "landmarkd is ready. This says nothing about services: for these, use /readyz.")
}

// servePage answers at the paths of the page. A client that does not ask for HTML there
// is no browser. If it is a checker, an answer 200 would say that all is well, so it
// gets the health that the page would show.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	name, ofService := strings.CutPrefix(r.URL.Path, "/service/")
	if !ofService {
		name = ""
	}
	switch {
	case (r.URL.Path == "/" || ofService) && (s.config.Page == nil || !accepts(r, "text/html")):
		q, err := parsePage(name, r.URL.RawQuery)
		if err != nil {
			s.refuse(w, r, http.StatusBadRequest, err.Error())
			return
		}
		s.serveHealth(w, r, q)
	case s.config.Page == nil || !ofService && !isPagePath(r.URL.Path):
		s.notFound(w)
	default:
		if s.maySeeEvidence(r) {
			r = r.WithContext(frontend.WithEvidence(r.Context()))
		}
		socket.MarkAnswered(connOf(r))
		s.config.Page.ServeHTTP(w, r)
	}
}

// isPagePath reports whether the path is one of the page, other than that of a service.
func isPagePath(path string) bool {
	return path == "/" || path == "/events" || strings.HasPrefix(path, "/evidence/") || strings.HasPrefix(path, "/static/")
}

// accepts reports whether the request's Accept names the media type itself.
func accepts(r *http.Request, media string) bool {
	for _, accept := range r.Header.Values("Accept") {
		for one := range strings.SplitSeq(accept, ",") {
			one, _, _ = strings.Cut(one, ";")
			if strings.EqualFold(strings.TrimSpace(one), media) {
				return true
			}
		}
	}
	return false
}

func (s *Server) notFound(w http.ResponseWriter) {
	s.noPath.Add(1)
	say(w, http.StatusNotFound, "there is nothing at this path: use /livez, /readyz, /startupz or /healthz, with ?service=NAME")
}

// say answers with one line of text.
func say(w http.ResponseWriter, code int, line string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	io.WriteString(w, line+"\n")
}
