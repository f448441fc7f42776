package poll

import (
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

const (
	// PerSecond is the number of commands that checkers may cause within any
	// second.
	PerSecond = 100
	// burst is the number of them that may be sent at once. The others are spread
	// evenly over the second: so if a checker always wants the newest facts, other
	// checkers get facts that are some 10 ms old.
	burst = 10
)

// Limit limits how often a service's loops are sent a command. Its zero value is
// ready. The caller must not call two methods at once.
type Limit struct {
	full judge.Instant // when the whole burst is allowed again
}

// Allow reports whether one more command may be sent at now, and counts it.
func (l *Limit) Allow(now judge.Instant) bool {
	const each = time.Second / (PerSecond - burst)
	full := max(l.full, now).Add(each)
	if full.Sub(now) > burst*each {
		return false
	}
	l.full = full
	return true
}
