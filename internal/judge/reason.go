package judge

import (
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/duration"
)

// Reason says at now, to a person who is to act on it, why the verdict is what
// it is: the landmark, how it stands, and what it is allowed. It is empty for
// a verdict that is serving.
func (v Verdict) Reason(now Instant) string {
	reason := v.reason(now)
	if reason != "" && v.crowd && v.instance != nil {
		return "instance " + v.instance.Name + ": " + reason
	}
	return reason
}

func (v Verdict) reason(now Instant) string {
	switch v.Cause {
	case None:
		return ""
	case UnknownName:
		return "nobody has reported a service of this name"
	case Unreported:
		return v.reasonUnreported()
	case Stopped:
		return "the program said goodbye " + ago(now, v.instance.Since)
	case Lost:
		return "the program's connection ended without a goodbye " + ago(now, v.instance.Since)
	case Stale:
		if v.instance == nil {
			return "landmarkd last read the state of its host " + ago(now, v.read)
		}
		return "the program is connected but last reported " + ago(now, v.instance.ReportedAt)
	case Starting:
		return v.reasonStarting(now)
	case Stalled:
		return v.landmark.reasonStalled(now)
	case Failed:
		return v.landmark.reasonFailed(now)
	case Draining:
		if v.instance == nil {
			return "drained by an operator"
		}
		return "drained by the program itself"
	case Recovering:
		return "well again, to be told in " + span(v.until.Sub(now))
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
		return v.landmark.reasonNotWellYet()
	case v.landmark == nil:
		return "the program has declared no landmark that could vouch for it"
	}
	return fmt.Sprintf("%s was not reached yet, made %s", v.landmark.Name, ago(now, v.landmark.At))
}

// reasonNotWellYet is why a service without a process has not started.
func (l *Landmark) reasonNotWellYet() string {
	switch {
	case !l.Reached:
		return l.Name + " was not read yet"
	case l.Reason != "":
		return l.Name + " was never well: " + l.Reason
	default:
		return l.Name + " was never well"
	}
}

func (l *Landmark) reasonStalled(now Instant) string {
	switch {
	case l.Kind == KindDeadline && l.Reason != "":
		return fmt.Sprintf("%s: %s for %s, allowed %s", l.Name, l.Reason, span(max(0, now.Sub(l.At))), span(l.Within))
	case !l.Reached:
		return fmt.Sprintf("%s was never reached, made %s, allowed %s", l.Name, ago(now, l.At), span(l.StartWithin))
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
		return l.Name + " cannot be seen: " + l.Reason
	case !l.Reached:
		return fmt.Sprintf("%s was never set, made %s, allowed %s", l.Name, ago(now, l.At), span(l.StartWithin))
	case l.Kind == KindLevel:
		return fmt.Sprintf("%s is %g, fails at %g", l.Name, l.Value, l.Limits.FailAt)
	case l.Met:
		return fmt.Sprintf("%s was last said to hold %s, which holds for %s", l.Name, ago(now, l.At), span(l.TTL))
	case l.Reason == "":
		return l.Name + " does not hold"
	default:
		return l.Name + " does not hold: " + l.Reason
	}
}

func ago(now, then Instant) string { return span(max(0, now.Sub(then))) + " ago" }

// span writes a duration in whole milliseconds, or in greater units.
func span(d time.Duration) string { return duration.Format(d.Truncate(time.Millisecond)) }
