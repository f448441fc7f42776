package agent

import (
	"cmp"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
)

const (
	minCommandInterval = 10 * time.Millisecond
	maxCommandInterval = time.Second

	minReportInterval = 25 * time.Millisecond
	maxReportInterval = 500 * time.Millisecond

	// minStepGap is what a change waits for after the step before, so that
	// landmarks that are late and early all the time cost the program little.
	// Answers to the sidecar's questions do not wait.
	minStepGap = 5 * time.Millisecond
)

// commandInterval returns how often the get-state command is put to a Loop.
func commandInterval(within time.Duration) time.Duration {
	return min(max(within/4, minCommandInterval), maxCommandInterval)
}

// reportInterval returns how often facts are reported when nothing changes: often
// enough that the age of each is known to a quarter of what it may be.
func reportInterval(tracks []track) time.Duration {
	interval := maxReportInterval
	for _, t := range tracks {
		if limit := t.limit(); limit > 0 {
			interval = min(interval, limit/4)
		}
	}
	return max(interval, minReportInterval)
}

// limit returns the age at which the landmark fails, 0 if it does not fail by
// age.
func (t *track) limit() time.Duration { return max(t.Within, t.TTL) } // no kind has both

// promptInterval returns how often the landmark is put the get-state command,
// or asked; 0 means never.
func (r *reporter) promptInterval(t *track) time.Duration {
	if t.takesCommands() {
		return commandInterval(t.Within)
	}
	if every, ok := t.AskEvery(); ok {
		return cmp.Or(every, r.interval)
	}
	return 0
}

// newsworthy reports whether the sidecar, which was told of a landmark at the
// instant toldAt and ages that fact by itself, would now judge better for being
// told again at once, rather than by the report that is due at next.
func (t *track) newsworthy(toldAt, now, next time.Time) bool {
	told, reading := t.told, t.reading
	switch {
	case reading.Reached != told.Reached:
		return true
	case reading.Count == told.Count && reading.Pending == told.Pending:
		return false
	case reading.Met != told.Met, t.Limits.Crossed(told.Value, reading.Value):
		return true
	case t.limit() == 0, t.Kind == landmark.KindDeadline && !told.Open:
		return false // it does not age towards failing
	}
	renewed := now.Add(-reading.Age).After(toldAt.Add(-told.Age))
	return renewed && told.Age+next.Sub(toldAt) >= t.limit()
}
