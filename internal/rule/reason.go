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
	return fmt.Sprintf("%s has not been reached yet, declared %s", l.Name, Ago(now, l.At))
}

func (l *Landmark) reasonStalled(now Instant) string {
	switch {
	case l.Triggered:
		return l.Name + ": the program reports that it hangs"
	case l.Kind == KindDeadline && l.Reason != "":
		return fmt.Sprintf("%s: %s for %s, allowed %s", l.Name, l.Reason, FormatDuration(max(0, now.Sub(l.At))), FormatDuration(l.Within))
	case !l.Reached:
		return fmt.Sprintf("%s was never reached, declared %s, allowed %s", l.Name, Ago(now, l.At), FormatDuration(l.StartWithin))
	case l.Kind == KindDeadline:
		return fmt.Sprintf("%s began %s and has not ended, allowed %s", l.Name, Ago(now, l.At), FormatDuration(l.Within))
	case l.Kind == KindLoop:
		return fmt.Sprintf("%s last answered %s, allowed %s", l.Name, Ago(now, l.At), FormatDuration(l.Within))
	default:
		return fmt.Sprintf("%s last passed %s, allowed %s", l.Name, Ago(now, l.At), FormatDuration(l.Within))
	}
}

func (l *Landmark) reasonFailed(now Instant) string {
	switch {
	case l.Unreadable:
		return l.Name + " cannot be read: " + l.Reason
	case !l.Reached:
		return fmt.Sprintf("%s was never set, declared %s, allowed %s", l.Name, Ago(now, l.At), FormatDuration(l.StartWithin))
	case l.Kind == KindLevel:
		return fmt.Sprintf("%s is %g, fails at %g", l.Name, l.Value, l.Limits.FailAt)
	case l.Met:
		return fmt.Sprintf("%s was last set %s, valid for %s", l.Name, Ago(now, l.At), FormatDuration(l.TTL))
	case l.Reason == "":
		return l.Name + " does not hold"
	default:
		return l.Name + " does not hold: " + l.Reason
	}
}

// Ago formats how long before now an instant was.
func Ago(now, then Instant) string { return FormatDuration(max(0, now.Sub(then))) + " ago" }

// FormatDuration formats a duration, without the part below a millisecond: the agent in C
// writes the same.
func FormatDuration(d time.Duration) string { return duration.Format(d.Truncate(time.Millisecond)) }
