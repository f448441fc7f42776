package judge

import (
	"fmt"

	"github.com/landmark-health/landmark/internal/rule"
)

// Reason explains the verdict at now to a person: the landmark that gave the
// cause, its last report, and its limit. It is empty for a serving verdict.
func (v Verdict) Reason(now Instant) string {
	reason := v.reason(now)
	if reason != "" && v.multiInstance && v.instance != nil {
		return "instance " + v.instance.Name + ": " + reason
	}
	return reason
}

func (v Verdict) reason(now Instant) string {
	switch v.Cause {
	case None:
		return ""
	case UnknownName:
		return "no program has reported a service of this name"
	case Unreported:
		return v.reasonUnreported()
	case Stopped:
		if v.instance.Notifies {
			return "the program said that it stops, and ended " + rule.Ago(now, v.instance.Since)
		}
		return "the program said goodbye " + rule.Ago(now, v.instance.Since)
	case Lost:
		if v.instance.Notifies {
			return "the process ended " + rule.Ago(now, v.instance.Since) + " without saying that it stops"
		}
		return "the program's connection ended " + rule.Ago(now, v.instance.Since) + " without a goodbye"
	case Stale:
		if v.instance == nil {
			return "landmarkd last read the state of its host " + rule.Ago(now, v.hostReadAt)
		}
		if v.instance.Notifies {
			return "the process exists but does not run: it last ran " + rule.Ago(now, v.instance.ReportedAt)
		}
		return "the program is connected but last reported " + rule.Ago(now, v.instance.ReportedAt)
	case Starting:
		return v.reasonStarting(now)
	case Stalled, Failed:
		if l := v.landmark; v.instance == nil && expired(l) {
			return fmt.Sprintf("landmarkd last checked %s %s, and should at least every %s", l.Name, rule.Ago(now, l.At), rule.FormatDuration(l.TTL))
		}
		return v.landmark.FailureReason(now)
	case Draining:
		switch {
		case v.instance != nil:
			return "drained by the program itself"
		case v.stopping:
			return "drained because landmarkd stops"
		}
		return "drained by an operator"
	case Recovering:
		return "healthy again, serving in " + rule.FormatDuration(v.recoveredAt.Sub(now))
	default:
		return v.Cause.String()
	}
}

func (v Verdict) reasonUnreported() string {
	switch {
	case v.instance != nil:
		return "the program has not reported since landmarkd started"
	case v.incomplete:
		return "landmarkd has just started, and other processes may still come back"
	default:
		return "no program has reported yet"
	}
}

func (v Verdict) reasonStarting(now Instant) string {
	switch {
	case v.missing == 1:
		return "one more process is needed"
	case v.missing > 1:
		return fmt.Sprintf("%d more processes are needed", v.missing)
	case v.landmark != nil && v.instance == nil:
		return reasonNotHealthyYet(v.landmark)
	case v.landmark == nil:
		return "the program has declared no landmark that counts for readiness"
	}
	return v.landmark.UnreachedReason(now)
}

// reasonNotHealthyYet explains why a service without a process has not started.
func reasonNotHealthyYet(l *Landmark) string {
	switch {
	case !l.Reached:
		return l.Name + " has not been read yet"
	case l.Reason != "":
		return l.Name + " has not been healthy yet: " + l.Reason
	default:
		return l.Name + " has not been healthy yet"
	}
}
