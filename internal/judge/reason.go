package judge

import (
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/duration"
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
		return "the program said goodbye " + ago(now, v.instance.Since)
	case Lost:
		return "the program's connection ended without a goodbye " + ago(now, v.instance.Since)
	case Stale:
		if v.instance == nil {
			return "landmarkd last read the state of its host " + ago(now, v.hostReadAt)
		}
		return "the program is connected but last reported " + ago(now, v.instance.ReportedAt)
	case Starting:
		return v.reasonStarting(now)
	case Stalled:
		return v.landmark.reasonStalled(now)
	case Failed:
		return v.landmark.reasonFailed(now)
	case Draining:
		switch {
		case v.instance != nil:
			return "drained by the program itself"
		case v.stopping:
			return "drained because landmarkd stops"
		}
		return "drained by an operator"
	case Recovering:
		return "healthy again, serving in " + span(v.recoveredAt.Sub(now))
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
		return v.landmark.reasonNotHealthyYet()
	case v.landmark == nil:
		return "the program has declared no landmark that counts for readiness"
	}
	return fmt.Sprintf("%s has not been reached yet, created %s", v.landmark.Name, ago(now, v.landmark.At))
}

// reasonNotHealthyYet explains why a service without a process has not started.
func (l *Landmark) reasonNotHealthyYet() string {
	switch {
	case !l.Reached:
		return l.Name + " has not been read yet"
	case l.Reason != "":
		return l.Name + " has not been healthy yet: " + l.Reason
	default:
		return l.Name + " has not been healthy yet"
	}
}

func (l *Landmark) reasonStalled(now Instant) string {
	switch {
	case l.Kind == KindDeadline && l.Reason != "":
		return fmt.Sprintf("%s: %s for %s, allowed %s", l.Name, l.Reason, span(max(0, now.Sub(l.At))), span(l.Within))
	case !l.Reached:
		return fmt.Sprintf("%s was never reached, created %s, allowed %s", l.Name, ago(now, l.At), span(l.StartWithin))
	case l.Kind == KindDeadline:
		return fmt.Sprintf("%s began %s and has not ended, allowed %s", l.Name, ago(now, l.At), span(l.Within))
	case l.Kind == KindLoop:
		return fmt.Sprintf("%s last answered %s, allowed %s", l.Name, ago(now, l.At), span(l.Within))
	default:
		return fmt.Sprintf("%s last passed %s, allowed %s", l.Name, ago(now, l.At), span(l.Within))
	}
}

func (l *Landmark) reasonFailed(now Instant) string {
	switch {
	case l.Unreadable:
		return l.Name + " cannot be read: " + l.Reason
	case !l.Reached:
		return fmt.Sprintf("%s was never set, created %s, allowed %s", l.Name, ago(now, l.At), span(l.StartWithin))
	case l.Kind == KindLevel:
		return fmt.Sprintf("%s is %g, fails at %g", l.Name, l.Value, l.Limits.FailAt)
	case l.Met:
		return fmt.Sprintf("%s was last set %s, valid for %s", l.Name, ago(now, l.At), span(l.TTL))
	case l.Reason == "":
		return l.Name + " does not hold"
	default:
		return l.Name + " does not hold: " + l.Reason
	}
}

func ago(now, then Instant) string { return span(max(0, now.Sub(then))) + " ago" }

// span formats a duration, without the part below a millisecond.
func span(d time.Duration) string { return duration.Format(d.Truncate(time.Millisecond)) }
