package main

import (
	"fmt"
	"strings"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// statusCell shows a status: green where all is well, yellow where the weight
// is less than whole or the service is out on purpose or not in yet, else red.
func statusCell(v *statusv1.Verdict) cell {
	c := cell{strings.TrimPrefix(v.GetStatus().String(), "STATUS_"), red}
	switch {
	case v.GetStatus() == statusv1.Status_STATUS_SERVING && v.GetWeight() == 100:
		c.colour = green
	case v.GetStatus() == statusv1.Status_STATUS_SERVING, passing(v.GetCause()):
		c.colour = yellow
	}
	return c
}

// passing reports whether the cause is not a fault.
func passing(c statusv1.Cause) bool {
	switch c {
	case statusv1.Cause_CAUSE_STARTING, statusv1.Cause_CAUSE_DRAINING, statusv1.Cause_CAUSE_RECOVERING:
		return true
	}
	return false
}

func causeCell(v *statusv1.Verdict) cell {
	if v.GetCause() == statusv1.Cause_CAUSE_UNSPECIFIED {
		return cell{text: "-"}
	}
	return cell{text: strings.ToLower(strings.TrimPrefix(v.GetCause().String(), "CAUSE_"))}
}

func weightCell(v *statusv1.Verdict) cell {
	return cell{text: fmt.Sprintf("%d%%", v.GetWeight())}
}

// reason says why a service is not as it should be, where that is so: why it is
// not ready, else why it is not live.
func reason(readiness, liveness *statusv1.Verdict) string {
	switch {
	case readiness.GetReason() != "":
		return printable(readiness.GetReason())
	case liveness.GetReason() != "":
		return "not live: " + printable(liveness.GetReason())
	}
	return ""
}

// reasonOf is reason for a service as it stands. What goes before an operator's
// drain would hide it.
func reasonOf(s *statusv1.Service) string {
	readiness := s.GetReadiness().GetVerdict()
	text := reason(readiness, s.GetLiveness().GetVerdict())
	if s.GetDrained() && readiness.GetCause() != statusv1.Cause_CAUSE_DRAINING {
		text = strings.TrimPrefix(text+"; drained by an operator, too", "; ")
	}
	return text
}
