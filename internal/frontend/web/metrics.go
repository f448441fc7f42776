package web

import (
	"bytes"
	"net/http"
	"time"
)

// metricsTimeout is how long a client may take to receive the metrics. It is
// Prometheus's own limit for a scrape.
const metricsTimeout = 10 * time.Second

// metrics serves the metrics to one client at a time, so that clients cannot use much
// memory by asking for many copies at once.
type metrics struct {
	handler http.Handler  // nil = there are none
	turn    chan struct{} // holds a token while the handler runs
}

func newMetrics(h http.Handler) *metrics { return &metrics{h, make(chan struct{}, 1)} }

// ServeHTTP answers once the handler has answered those before. It sends the answer from
// memory, so that a slow client delays no other.
func (m *metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m.handler == nil {
		notFound(w)
		return
	}
	select {
	case m.turn <- struct{}{}:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
	answer := recorder{header: w.Header(), code: http.StatusOK}
	func() {
		defer func() { <-m.turn }()
		m.handler.ServeHTTP(&answer, r)
	}()
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(metricsTimeout))
	w.WriteHeader(answer.code)
	w.Write(answer.body.Bytes())
}

// recorder keeps an answer in memory.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *recorder) Header() http.Header         { return a.header }
func (a *recorder) WriteHeader(code int)        { a.code = code }
func (a *recorder) Write(b []byte) (int, error) { return a.body.Write(b) }
