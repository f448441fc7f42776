package poll

import (
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/rate"
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

// Limit limits how often a service's loops are sent a command. NewLimit makes it. The
// caller must not call two methods at once.
type Limit struct{ commands rate.Bucket[judge.Instant] }

// NewLimit returns a limit by which the whole burst is allowed at once.
func NewLimit() Limit { return Limit{rate.New[judge.Instant](PerSecond-burst, burst)} }

// Allow reports whether one more command may be sent at now, and counts it.
func (l *Limit) Allow(now judge.Instant) bool { return l.commands.Take(1, now) }
