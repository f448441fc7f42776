package main

import (
	"fmt"

	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// gateNote says how the service's gate is, "" if it has none.
func gateNote(o output, s *statusv1.Service) string {
	g := s.GetGate()
	if g == nil || g.GetProblem() != "" {
		return gateProblem(o, s)
	}
	state := "closed"
	if g.GetOpen() {
		state = "open"
	}
	return fmt.Sprintf("%s %s for %s", nameOfGate(s), state, duration.Format(g.GetStateAge().AsDuration()))
}

// gateProblem says why landmarkd cannot use the port of the service's gate, "" if it can.
func gateProblem(o output, s *statusv1.Service) string {
	problem := s.GetGate().GetProblem()
	if problem == "" {
		return ""
	}
	return o.Paint(terminal.Red, nameOfGate(s)+": "+terminal.Printable(problem))
}

// nameOfGate names the service's gate.
func nameOfGate(s *statusv1.Service) string {
	g := s.GetGate()
	name := "gate " + terminal.Printable(g.GetAddress())
	if g.GetName() != s.GetName() {
		name += " of " + terminal.Printable(g.GetName())
	}
	return name
}
