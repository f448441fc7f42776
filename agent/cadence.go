package agent

import (
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
// enough that an Alive's age is known to a quarter of its Within.
func reportInterval(tracks []track) time.Duration {
	interval := maxReportInterval
	for _, t := range tracks {
		interval = min(interval, t.Within/4)
	}
	return max(interval, minReportInterval)
}

// newsworthy reports whether the sidecar, which was told of a landmark some
// time ago and has aged that fact since, would now judge better for being told
// again at once: the landmark was reached for the first time, or after its age
// had come to what is allowed.
func newsworthy(within time.Duration, told landmark.Reading, ago time.Duration, now landmark.Reading) bool {
	if now.Count == told.Count {
		return false
	}
	return !told.Reached || told.Age+ago >= within
}
