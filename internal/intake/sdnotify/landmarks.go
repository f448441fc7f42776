package sdnotify

import (
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sdnotify"
)

// The landmarks that sd_notify itself has. A program may declare others of the same
// names instead.
const (
	readyName    = "ready"    // READY=1
	watchdogName = "watchdog" // WATCHDOG=1
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

// landmark is a declared landmark, and what the process has said of it.
type landmark struct {
	declared judge.Declared

	at        judge.Instant // when it was last reached, or made
	reached   bool
	count     uint64
	open      uint64 // Deadline: how much work is open
	value     float64
	met       bool
	triggered bool
	reason    string

	state judge.State // by the last report
}

// reach records that the process has reached the landmark.
func (l *landmark) reach(at judge.Instant) {
	l.at = max(l.at, at)
	l.reached = true
	l.count++
}

// ends reports whether reaching the landmark, which was as before says, ends a failure or
// the start, or would be reported too late: the next report comes after up to a quarter
// of the Within, and the one before may have been as long ago.
func (l *landmark) ends(before *landmark) bool {
	return !before.reached || before.state != judge.OK ||
		l.declared.Kind == judge.KindAlive && l.at.Sub(before.at) > l.declared.Within/2
}

// fact returns the fact of the landmark for the registry at the instant.
func (l *landmark) fact(at judge.Instant) registry.Fact {
	return registry.Fact{
		Reached:   l.reached,
		Age:       max(0, at.Sub(l.at)),
		Count:     l.count,
		Open:      l.open > 0,
		Pending:   l.open,
		Value:     l.value,
		Met:       l.met,
		Triggered: l.triggered,
		Reason:    l.reason,
	}
}

// stateAt returns the landmark's state at the instant under the declaration with the
// policy's overrides, and when time alone changes it.
func (l *landmark) stateAt(declared *judge.Declared, at judge.Instant) (judge.State, judge.Instant) {
	j := judge.Landmark{
		Declared: declared, Reached: l.reached, At: l.at, Open: l.open > 0, Pending: l.open, Value: l.value, Met: l.met, Triggered: l.triggered,
	}
	r := j.Evaluate(at)
	return r.State, r.Next
}

// take takes a fact that a datagram has, sent at the instant. It reports whether the
// datagram's key fits the kind of the landmark.
func (l *landmark) take(f sdnotify.Fact, at judge.Instant) bool {
	switch {
	case f.Kind == sdnotify.Reach && l.declared.Kind == judge.KindAlive:
		l.reach(at)
	case f.Kind == sdnotify.Level && l.declared.Kind == judge.KindLevel:
		l.reach(at)
		l.value = f.Value
	case f.Kind == sdnotify.Condition && l.declared.Kind == judge.KindCondition:
		l.reach(at)
		l.met, l.reason = f.Met, f.Reason
	case f.Kind == sdnotify.Open && l.declared.Kind == judge.KindDeadline:
		wasOpen := l.open > 0
		l.reached, l.count, l.open = true, l.count+1, f.Open
		switch {
		case f.Open > 0 && f.Aged:
			l.at = at.Add(-f.Age)
		case f.Open == 0 || !wasOpen: // else the oldest work is still open, as far as the program says
			l.at = at
		}
	default:
		return false
	}
	return true
}

// declare sets what the landmark declares. What was said of it stays, unless it is of
// another kind now.
func (l *landmark) declare(d judge.Declared, at judge.Instant) {
	if l.declared.Kind != d.Kind {
		*l = landmark{at: at}
	}
	l.declared = d
}

// readyLandmark is reached by READY=1.
func readyLandmark(at judge.Instant) *landmark {
	rules, _ := judge.RulesOf(judge.KindCondition)
	return &landmark{at: at, declared: judge.Declared{Name: readyName, Kind: judge.KindCondition, Impact: rules.DefaultImpact}}
}

// watchdogLandmark is reached by WATCHDOG=1.
func watchdogLandmark(at judge.Instant) *landmark {
	rules, _ := judge.RulesOf(judge.KindAlive)
	return &landmark{at: at, declared: judge.Declared{Name: watchdogName, Kind: judge.KindAlive, Impact: rules.DefaultImpact}}
}

// watchdogWithin returns the Within for a watchdog's timeout, in the range of a
// Within.
func watchdogWithin(timeout time.Duration) time.Duration {
	return min(max(timeout, contract.MinWithin), contract.MaxDuration)
}
