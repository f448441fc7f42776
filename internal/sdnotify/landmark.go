package sdnotify

import "github.com/landmark-health/landmark/internal/rule"

// The landmarks that sd_notify itself has. A program may declare others of the same
// names instead.
const (
	ReadyName    = "ready"    // READY=1
	WatchdogName = "watchdog" // WATCHDOG=1
)

// Landmark is a landmark that a program has declared, and what the program has said of
// it. landmarkd and landmark exec both take notifications by it, so that they know the
// same. It is pure.
type Landmark struct{ rule.Landmark }

// Declare sets what the landmark declares. What was said of it stays, unless it is of
// another kind now.
func (l *Landmark) Declare(d rule.Declared, at rule.Instant) {
	if l.Declared == nil || l.Kind != d.Kind {
		l.Landmark = rule.Landmark{At: at}
	}
	l.Declared = &d
}

// Reach records that the program has reached the landmark at the instant.
func (l *Landmark) Reach(at rule.Instant) {
	l.At = max(l.At, at)
	l.Reached = true
	l.Count++
}

// Take takes a fact, sent at the instant. It reports whether the key of the fact fits the
// kind of the landmark.
func (l *Landmark) Take(f Fact, at rule.Instant) bool {
	switch {
	case f.Kind == Reach && l.Kind == rule.KindAlive:
		l.Reach(at)
	case f.Kind == Level && l.Kind == rule.KindLevel:
		l.Reach(at)
		l.Value = f.Value
	case f.Kind == Condition && l.Kind == rule.KindCondition:
		l.Reach(at)
		l.Met, l.Reason = f.Met, f.Reason
	case f.Kind == Open && l.Kind == rule.KindDeadline:
		switch {
		case f.Open > 0 && f.Aged:
			l.At = at.Add(-f.Age)
		case f.Open == 0 || !l.Open: // else the oldest work is still open, as far as the program says
			l.At = at
		}
		l.Reached, l.Open, l.Pending = true, f.Open > 0, f.Open
		l.Count++
	default:
		return false
	}
	return true
}
