package sdnotify

import (
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sdnotify"
)

const (
	// maxLandmarks is how many landmarks one process may declare by datagrams.
	maxLandmarks = 64
	// maxAllLandmarks is how many all processes may declare together, and
	// maxLandmarksPerUser those of one user other than root and landmarkd's own. Each
	// takes some 3 kB with the longest names and reasons.
	maxAllLandmarks     = 8192
	maxLandmarksPerUser = maxAllLandmarks * 3 / 4
)

// landmark is a landmark of a process.
type landmark struct {
	sdnotify.Landmark
	state     judge.State // by the last report
	unwritten bool        // it was touched since the process was written to the file
}

// Declare is that of sdnotify.Landmark.
func (l *landmark) Declare(d judge.Declared, at judge.Instant) {
	l.Landmark.Declare(d, at)
	l.unwritten = true
}

// Reach is that of sdnotify.Landmark.
func (l *landmark) Reach(at judge.Instant) {
	l.Landmark.Reach(at)
	l.unwritten = true
}

// Take is that of sdnotify.Landmark.
func (l *landmark) Take(f sdnotify.Fact, at judge.Instant) bool {
	l.unwritten = true
	return l.Landmark.Take(f, at)
}

// ends reports whether reaching the landmark, which was as before says, ends a failure or
// the start, or would be reported too late: the next report comes after up to a quarter
// of the Within, and the one before may have been as long ago.
func (l *landmark) ends(before *landmark) bool {
	return !before.Reached || before.state != judge.OK ||
		(l.Kind == judge.KindAlive || l.Open) && l.At.Sub(before.At) > l.Within/2
}

// fact returns the fact of the landmark for the registry at the instant.
func (l *landmark) fact(at judge.Instant) registry.Fact {
	return registry.Fact{
		Reached:   l.Reached,
		Age:       max(0, at.Sub(l.At)),
		Count:     l.Count,
		Open:      l.Open,
		Pending:   l.Pending,
		Value:     l.Value,
		Met:       l.Met,
		Triggered: l.Triggered,
		Reason:    l.Reason,
	}
}

// stateAt returns the landmark's state at the instant under the declaration with the
// policy's overrides, and when time alone changes it.
func (l *landmark) stateAt(declared *judge.Declared, at judge.Instant) (judge.State, judge.Instant) {
	overridden := l.Landmark.Landmark
	overridden.Declared = declared
	r := overridden.Evaluate(at)
	return r.State, r.Next
}

// readyLandmark is reached by READY=1.
func readyLandmark(at judge.Instant) *landmark {
	return newLandmark(sdnotify.ReadyName, judge.KindCondition, at)
}

// watchdogLandmark is reached by WATCHDOG=1.
func watchdogLandmark(at judge.Instant) *landmark {
	return newLandmark(sdnotify.WatchdogName, judge.KindAlive, at)
}

func newLandmark(name string, kind judge.Kind, at judge.Instant) *landmark {
	rules, _ := judge.RulesOf(kind)
	l := new(landmark)
	l.Declare(judge.Declared{Name: name, Kind: kind, Impact: rules.DefaultImpact}, at)
	return l
}

// watchdogWithin returns the Within for a watchdog's timeout, in the range of a
// Within.
func watchdogWithin(timeout time.Duration) time.Duration {
	return min(max(timeout, contract.MinWithin), contract.MaxDuration)
}
