package recorder

import (
	"time"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
)

const (
	// maxLevel is the level at which only what fails is late.
	maxLevel = 4
	// maxLates is how often in a period something may become late before its level rises.
	maxLates = 20
)

// age is how old something becomes until it is renewed: a landmark's pass, a process's
// report, or the reading of the host. It is late once it is older than a part of its limit.
// What is never late is not written.
//
// The part is level quarters. It begins with one, rises where that is exceeded all the time,
// such as for a loop that is always busy, and falls again once it is not.
type age struct {
	limit   time.Duration
	running bool          // it grows older
	at      judge.Instant // when it was last renewed
	known   judge.Instant // since when that is known
	late    bool
	failed  bool  // it is late, and its age has exceeded the limit
	written bool  // that it is late
	moved   bool  // since it was written, to another instant of the same pass
	level   uint8 // in effect, as of the last line
	wanted  uint8 // from the next line on
	lates   uint8 // in this period
	longest time.Duration
}

func newAge(limit time.Duration) age { return age{limit: limit, level: 1, wanted: 1} }

// resetAge returns the age under another limit.
func resetAge(before age, limit time.Duration, now judge.Instant) age {
	n := newAge(limit)
	n.running, n.at, n.known, n.longest = before.running, before.at, before.known, before.longest
	n.advance(now)
	return n
}

// floor returns the age above which it is late.
func (a *age) floor() time.Duration { return a.floorOf(a.level) }

func (a *age) floorOf(level uint8) time.Duration { return a.limit / maxLevel * time.Duration(level) }

// advance records how old it has become by now, and reports whether it has become late.
func (a *age) advance(now judge.Instant) (becameLate bool) {
	if !a.running || a.failed {
		return false
	}
	old := now.Sub(a.at)
	if a.late {
		// A line says once more when it was last renewed: reports of one and the same pass
		// differ by some microseconds, and this is what the judge has.
		a.failed = old > a.limit
		return a.failed
	}
	if old <= a.floor() {
		a.longest = max(a.longest, old)
		return false
	}
	a.late, a.failed = true, old > a.limit
	if a.lates++; a.lates > maxLates {
		a.lates, a.wanted = 0, min(a.level+1, maxLevel)
	}
	return true
}

// renew takes what was reported now: whether it grows older, and since when. It reports
// whether it was late and is not any more, or is late since another instant.
func (a *age) renew(running bool, at, now judge.Instant) (changed bool) {
	wasLate := a.late
	a.running, a.at, a.known, a.late, a.failed, a.written, a.moved = running, at, now, false, false, false, false
	return a.advance(now) || wasLate
}

// move takes that the same renewal is reported with another instant.
func (a *age) move(at, now judge.Instant) {
	if at != a.at {
		a.at = at
		if a.written { // the instant before is in the journal, and holds until now
			a.known, a.moved = now, true
		}
	}
}

// endPeriod ends a period of ages. It returns the longest, and reports whether a line is
// needed because another level takes effect.
func (a *age) endPeriod() (longest time.Duration, changed bool) {
	longest = a.longest
	if a.lates == 0 && a.level > 1 && a.wanted == a.level && longest <= a.floorOf(a.level-1) {
		a.wanted-- // it would not have become late in this period
	}
	a.lates, a.longest = 0, 0
	return longest, a.wanted != a.level
}

// outdated reports whether the last line says less than the next one would.
func (a *age) outdated() bool { return a.moved || a.level != a.wanted }

// line returns what a line says of the age. From that line on its level is in effect.
func (a *age) line() journal.Age {
	a.written, a.moved, a.level = a.late, false, a.wanted
	if a.late {
		// It is late by the floor until now, and the line must say so, even if it is not
		// late by a higher floor that is in effect from now on.
		return journal.Age{Floor: a.floor(), Late: true, At: a.at, Known: a.known}
	}
	return journal.Age{Floor: a.floor()}
}
