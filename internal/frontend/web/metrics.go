package web

import (
	"net/http"
	"time"
)

// metricsTimeout is how long a client may take to receive the metrics. It is
// Prometheus's own limit for a scrape.
const metricsTimeout = 10 * time.Second

// serveMetrics answers with config.Metrics.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if s.config.Metrics == nil {
		s.notFound(w)
		return
	}
	if r.Method == http.MethodHead {
		s.config.Metrics.ServeHTTP(w, r)
		return
	}
	controller := http.NewResponseController(w)
	controller.SetWriteDeadline(time.Now().Add(metricsTimeout))
	s.config.Metrics.ServeHTTP(w, r)
	controller.Flush() // while the deadline holds, so that it is for the whole answer
	controller.SetWriteDeadline(time.Time{})
}
