package clock

import (
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// reading is the clock at one beat. It is immutable.
type reading struct {
	real    time.Duration // since the origin
	awake   time.Duration // since the origin, without pauses
	judged  judge.Instant // up to which everything has been read
	behind  bool          // judged stands still
	since   time.Duration // real time since which it does
	empty   int           // checks in a row that found everything read
	resting bool          // there is no source, so everything is always read
	// quietUntil is when the next beat is due, if that is later than usual: until then
	// no silence can change a verdict. 0 = as usual.
	quietUntil time.Duration
}

// end returns until when no beat is overdue, so that everything counts as read.
func (r *reading) end() time.Duration { return max(r.real, r.quietUntil) + MaxGap }

// quiet reports whether the clock rests until a silence could change a verdict.
func (r *reading) quiet() bool { return r.quietUntil > 0 }

// at returns the judged instant at a real time after the reading.
func (r *reading) at(real time.Duration) judge.Instant {
	switch {
	case r.resting:
		return judge.Instant(real)
	case r.behind:
		return r.judged
	}
	return min(judge.Instant(real), judge.Instant(r.end()))
}

// awakeAt returns for how long the sidecar has run at a real time after the
// reading.
func (r *reading) awakeAt(real time.Duration) time.Duration {
	if r.resting {
		return r.awake + real - r.real
	}
	return r.awake + min(real, r.end()) - r.real
}

// next returns the reading at the next beat.
func (r *reading) next(real time.Duration, caughtUp func() bool) *reading {
	upToDate := &reading{real: real, awake: r.awakeAt(real), judged: judge.Instant(real)}
	if !r.behind && real <= r.end() {
		return upToDate
	}
	n := &reading{real: real, awake: upToDate.awake, judged: r.at(real), behind: true, since: r.since}
	if !r.behind {
		n.since = real
	}
	if caughtUp() {
		n.empty = r.empty + 1
	}
	if n.empty >= EmptyChecks || real-n.since > MaxBehind {
		return upToDate
	}
	return n
}
