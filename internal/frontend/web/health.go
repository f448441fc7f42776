package web

import (
	"errors"
	"net/http"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
)

// serveHealth answers a health check, once the answer is final.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request, q question) {
	timing := s.answers.Begin()
	conn := connOf(r)
	socket.MarkAnswered(conn)
	a, final := s.config.Source.Lookup(q.name, q.maxAge)
	if !final {
		timing.Wait()
		var err error
		a, err = s.config.Source.Await(registry.WithClient(r.Context(), socket.ClientOf(r.RemoteAddr)), q.name, q.maxAge)
		switch {
		case errors.Is(err, registry.ErrOverloaded):
			s.overloaded.Add(1)
			w.Header().Set("Retry-After", "1")
			say(w, http.StatusServiceUnavailable, err.Error())
			return
		case err != nil:
			// The client has left, or landmarkd stops. That says nothing about the
			// program, so there is no answer.
			panic(http.ErrAbortHandler)
		}
	}
	frontend.RecordChecker(s.config.Checkers, checkers.Checker{From: checkers.AddressOf(conn.RemoteAddr()), Via: checkers.HTTP}, q.name, &a)
	writeAnswer(w, r, statusCode(a, q), a)
	s.answers.End(timing)
}

// statusCode returns the status code of an answer. A checker that takes 404 for a soft stop
// must not take an unknown service for one.
func statusCode(a registry.Answer, q question) int {
	switch {
	case a.Status == judge.Serving:
		return http.StatusOK
	case a.Status == judge.ServiceUnknown && !q.drainingIs404:
		return http.StatusNotFound
	case q.drainingIs404 && a.Status == judge.NotServing && a.Cause == judge.Draining:
		return http.StatusNotFound
	}
	return http.StatusServiceUnavailable
}
