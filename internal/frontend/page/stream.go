package page

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/socket"
)

const (
	// maxStreams is how many pages may be open at once. Then a new one displaces the
	// oldest of the address that has most, if the new one's address has fewer.
	maxStreams = 128
	// maxQueue is how many events may wait for a browser, and maxWaiting how many bytes of
	// more than one. It is the feed's of some seconds; a browser that is slower is cut off,
	// and connects again by itself.
	maxQueue   = 32
	maxWaiting = 512 << 10
)

// stream is the events of one open page.
type stream struct {
	service  string       // that the page shows whole, "" = none
	evidence bool         // the client may see evidence
	from     netip.Prefix // the client
	queue    chan *event
	held     held
	abort    func()          // ends a write that the browser does not take
	accepted chan bool       // receives from the feed whether there is room
	cut      chan struct{}   // closed by the feed to end the stream
	steps    []func() []byte // what it gets before all services, the next once it has taken one; the feed's
	after    string          // the last service that was sent; the feed's
	number   int             // in the order of joining; the feed's
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
	st := &stream{
		service: name, evidence: frontend.MaySeeEvidence(r.Context()), from: socket.ClientOf(r.RemoteAddr),
		queue: make(chan *event, maxQueue), accepted: make(chan bool, 1), cut: make(chan struct{}),
		abort: func() { http.NewResponseController(w).SetWriteDeadline(time.Now()) },
	}
	select {
	case s.joins <- st:
	case <-r.Context().Done():
		return
	case <-s.ended:
		http.Error(w, "landmarkd stops", http.StatusServiceUnavailable)
		return
	}
	if !<-st.accepted {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many pages are open: close one of them", http.StatusServiceUnavailable)
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
			s.backlog.take(st, e)
			_, err := w.Write(e.text)
			s.backlog.finish(st, e)
			if err != nil {
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
