package rule

import (
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/duration"
)

// FailureReason explains to a person why the landmark fails at now: its last report, and
// its limit.
func (l *Landmark) FailureReason(now Instant) string {
	if l.ShowsWork() {
		return l.reasonStalled(now)
	}
	return l.reasonFailed(now)
}

// UnreachedReason explains that the program has not started because of the landmark.
func (l *Landmark) UnreachedReason(now Instant) string {
	return fmt.Sprintf("%s has not been reached yet, created %s", l.Name, Ago(now, l.At))
}

func (l *Landmark) reasonStalled(now Instant) string {
	switch {
	case l.Triggered:
		return l.Name + ": the program reports that it hangs"
	case l.Kind == KindDeadline && l.Reason != "":
		return fmt.Sprintf("%s: %s for %s, allowed %s", l.Name, l.Reason, Span(max(0, now.Sub(l.At))), Span(l.Within))
	case !l.Reached:
		return fmt.Sprintf("%s was never reached, created %s, allowed %s", l.Name, Ago(now, l.At), Span(l.StartWithin))
	case l.Kind == KindDeadline:
		return fmt.Sprintf("%s began %s and has not ended, allowed %s", l.Name, Ago(now, l.At), Span(l.Within))
	case l.Kind == KindLoop:
		return fmt.Sprintf("%s last answered %s, allowed %s", l.Name, Ago(now, l.At), Span(l.Within))
	default:
		return fmt.Sprintf("%s last passed %s, allowed %s", l.Name, Ago(now, l.At), Span(l.Within))
	}
}

func (l *Landmark) reasonFailed(now Instant) string {
	switch {
	case l.Unreadable:
		return l.Name + " cannot be read: " + l.Reason
	case !l.Reached:
		return fmt.Sprintf("%s was never set, created %s, allowed %s", l.Name, Ago(now, l.At), Span(l.StartWithin))
	case l.Kind == KindLevel:
		return fmt.Sprintf("%s is %g, fails at %g", l.Name, l.Value, l.Limits.FailAt)
	case l.Met:
		return fmt.Sprintf("%s was last set %s, valid for %s", l.Name, Ago(now, l.At), Span(l.TTL))
	case l.Reason == "":
		return l.Name + " does not hold"
	default:
		return l.Name + " does not hold: " + l.Reason
	}
}

// Ago formats how long before now an instant was.
func Ago(now, then Instant) string { return Span(max(0, now.Sub(then))) + " ago" }

// Span formats a duration, without the part below a millisecond.
func Span(d time.Duration) string { return duration.Format(d.Truncate(time.Millisecond)) }
