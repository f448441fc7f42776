package lmp

import (
	"net/netip"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/registry"
)

// note has it remembered who was given the answer to a question about the name.
func (s *Server) note(name []byte, a *registry.Answer, from netip.Addr, by checkers.FrontEnd) {
	s.config.Checkers.Note(question(name, a), checkers.Checker{From: from, By: by}, time.Duration(a.At()))
}

// question is what was asked about, as the answer tells it.
func question(name []byte, a *registry.Answer) checkers.Question {
	service, known := a.Service()
	return checkers.Question{Name: name, Service: service, Known: known}
}
