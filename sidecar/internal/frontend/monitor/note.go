package monitor

import (
	"net/netip"
	"time"

	"github.com/landmark-health/landmark/sidecar/internal/askers"
	"github.com/landmark-health/landmark/sidecar/internal/registry"
)

// note has it remembered who was given the answer to a question about the name.
func (s *Server) note(name []byte, a *registry.Answer, from netip.Addr, by askers.FrontEnd) {
	s.config.Askers.Note(question(name, a), askers.Asker{From: from, By: by}, time.Duration(a.At()))
}

// question is what was asked about, as the answer tells it.
func question(name []byte, a *registry.Answer) askers.Question {
	service, known := a.Service()
	return askers.Question{Name: name, Service: service, Known: known}
}
