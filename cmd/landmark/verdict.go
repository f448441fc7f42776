package main

import (
	"fmt"
	"strings"

	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// statusCell shows a status: green at full weight; yellow at a lower weight, and while
// the service is out for a cause that is not a fault; red otherwise.
func statusCell(v *statusv1.Verdict) terminal.Cell {
	colour := terminal.Red
	switch {
	case v.GetStatus() == statusv1.Status_STATUS_SERVING && v.GetWeight() == 100:
		colour = terminal.Green
	case v.GetStatus() == statusv1.Status_STATUS_SERVING, intended(v.GetCause()):
		colour = terminal.Yellow
	}
	return terminal.Coloured(colour, strings.TrimPrefix(v.GetStatus().String(), "STATUS_"))
}

// intended reports whether the cause is not a fault.
func intended(c statusv1.Cause) bool {
	switch c {
	case statusv1.Cause_CAUSE_STARTING, statusv1.Cause_CAUSE_DRAINING, statusv1.Cause_CAUSE_RECOVERING:
		return true
	}
	return false
}

func causeCell(v *statusv1.Verdict) terminal.Cell {
	if v.GetCause() == statusv1.Cause_CAUSE_UNSPECIFIED {
		return terminal.Text("-")
	}
	return terminal.Text(strings.ToLower(strings.TrimPrefix(v.GetCause().String(), "CAUSE_")))
}

func weightCell(v *statusv1.Verdict) terminal.Cell {
	return terminal.Text(fmt.Sprintf("%d%%", v.GetWeight()))
}

// reason returns why a service is not ready, or else why it is not live, or "".
func reason(readiness, liveness *statusv1.Verdict) string {
	switch {
	case readiness.GetReason() != "":
		return terminal.Printable(readiness.GetReason())
	case liveness.GetReason() != "":
		return "not live: " + terminal.Printable(liveness.GetReason())
	}
	return ""
}

// serviceReason returns the reason of a service, and adds that it is drained if another
// cause hides it.
func serviceReason(s *statusv1.Service) string {
	readiness := s.GetReadiness().GetVerdict()
	text := reason(readiness, s.GetLiveness().GetVerdict())
	if s.GetDrained() && readiness.GetCause() != statusv1.Cause_CAUSE_DRAINING {
		text = strings.TrimPrefix(text+"; drained, too", "; ")
	}
	return text
}
