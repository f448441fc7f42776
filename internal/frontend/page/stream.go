package page

import (
	"net/http"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/frontend"
)

const (
	// maxStreams is how many pages may be open at once.
	maxStreams = 128
	// maxQueue is how many events may wait for a browser. It is the feed's of some
	// seconds; a browser that is slower is cut off, and connects again by itself.
	maxQueue = 32
)

// stream is the events of one open page.
type stream struct {
	service  string // that the page shows whole, "" = none
	evidence bool   // the client may see evidence
	queue    chan event
	cut      chan struct{} // closed by the feed once the queue is full
	after    string        // the last service that was sent; the feed's
}

// event is the bytes of a server-sent event.
type event struct {
	text []byte
	more bool // the feed has more for this page, once it has taken this
}

// serveEvents answers with the events of all services and, if the query names one, of
// that service.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("service")
	if name != "" && contract.CheckServiceName(name) != nil {
		http.Error(w, "no service can have this name", http.StatusNotFound)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return
	}
	select {
	case s.open <- struct{}{}:
		defer func() { <-s.open }()
	default:
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many pages are open: close one of them", http.StatusServiceUnavailable)
		return
	}
	st := &stream{
		service: name, evidence: frontend.MaySeeEvidence(r.Context()),
		queue: make(chan event, maxQueue), cut: make(chan struct{}),
	}
	select {
	case s.joins <- st:
	case <-r.Context().Done():
		return
	case <-s.ended:
		http.Error(w, "landmarkd stops", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	s.sendEvents(w, r, st)
	select {
	case s.leaves <- st:
	case <-s.ended:
	}
}

// sendEvents sends the events until the client leaves, is cut off, or the feed has ended.
func (s *Server) sendEvents(w http.ResponseWriter, r *http.Request, st *stream) {
	flusher := http.NewResponseController(w)
	var pulls chan *stream // nil unless the feed has more
	for {
		select {
		case e := <-st.queue:
			if _, err := w.Write(e.text); err != nil {
				return
			}
			if len(st.queue) == 0 && flusher.Flush() != nil {
				return
			}
			if e.more {
				pulls = s.pulls
			}
		case pulls <- st:
			pulls = nil
		case <-st.cut:
			return
		case <-s.ended:
			return
		case <-r.Context().Done():
			return
		}
	}
}
