package describe

import (
	"strings"

	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// Intended reports whether the cause is not a fault.
func Intended(c statusv1.Cause) bool {
	switch c {
	case statusv1.Cause_CAUSE_STARTING, statusv1.Cause_CAUSE_DRAINING, statusv1.Cause_CAUSE_RECOVERING:
		return true
	}
	return false
}

// Cause returns the cause of a verdict, such as "stalled", or "" if it has none.
func Cause(v *statusv1.Verdict) string {
	if v.GetCause() == statusv1.Cause_CAUSE_UNSPECIFIED {
		return ""
	}
	return strings.ToLower(strings.TrimPrefix(v.GetCause().String(), "CAUSE_"))
}

// Reason returns why a service is not ready, or else why it is not live, or "".
func Reason(readiness, liveness *statusv1.Verdict) string {
	switch {
	case readiness.GetReason() != "":
		return terminal.Printable(readiness.GetReason())
	case liveness.GetReason() != "":
		return "not live: " + terminal.Printable(liveness.GetReason())
	}
	return ""
}

// ServiceReason returns the reason of a service, and adds that it is drained if another
// cause hides it.
func ServiceReason(s *statusv1.Service) string {
	readiness := s.GetReadiness().GetVerdict()
	text := Reason(readiness, s.GetLiveness().GetVerdict())
	if s.GetDrained() && readiness.GetCause() != statusv1.Cause_CAUSE_DRAINING {
		text = strings.TrimPrefix(text+"; drained, too", "; ")
	}
	return text
}
