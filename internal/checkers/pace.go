package checkers

import "time"

const (
	// while is the time over which a rate is taken: what was that long ago
	// weighs about a third of the present. Where it is longer, it is whileGaps
	// times the longest gap of late.
	while     = 10 * time.Second
	whileGaps = 10
	// A checker is steady once it has asked steadyCount times, over at least
	// steadyTime, or held a watch for as long.
	steadyCount = 10
	steadyTime  = 30 * time.Second
	// A steady checker is silent once it has not asked for quietGaps times the
	// longest gap between its questions of late, and for leastQuiet.
	quietGaps  = 5
	leastQuiet = 10 * time.Second
	// gapKept is how much of the longest gap of late is left at least after a
	// question, however late it came: who takes a closer look for some questions,
	// as Nagios does where something is wrong, goes back to its own pace.
	gapKept = 0.9
	// longestGap is the longest that counts as one of a checker's own gaps when
	// it is back from a silence, so that one that has come to ask more seldom
	// is not called silent again and again.
	longestGap = 2 * time.Minute
	// apart is how far questions of a checker that is not steady may be apart
	// for its rate to be taken over both.
	apart = 10 * time.Minute
	// fastest is the highest rate, a second.
	fastest = 1e6
)

// pace is how often a checker asks.
//
// The rate is the number of gaps between questions by the time spent in them,
// both with a weight that falls by while/(while+gap) at each question. So it is
// exact, from the second question on, for who asks at regular intervals,
// however long, and some 10 % off at most for who asks several times at once
// between two such intervals. For questions that come at random, r a second,
// its standard deviation is some 1/√(2·10·r) of it: 7 % at 10 a second. At a
// change of pace nine tenths are told after some 25 s.
type pace struct {
	total   uint64        // questions
	count   uint64        // of them, since the last gap too long to be one
	since   time.Duration // when the first of count was
	last    time.Duration // when the last was
	gaps    float64       // weighted
	spent   float64       // in the gaps, weighted, in seconds
	longest time.Duration // gap of late
	steady  bool          // it was once, at least
}

// ask takes a question at now. Those that come at once may be taken in another
// order.
func (p *pace) ask(now time.Duration) {
	gap := max(0, now-p.last)
	switch {
	case p.total > 0 && gap <= p.patience():
		p.longest = max(gap, time.Duration(float64(p.longest)*max(weight(gap, while), gapKept)))
		w := weight(gap, p.while())
		p.gaps = p.gaps*w + 1
		p.spent = p.spent*w + float64(gap)/float64(time.Second)
	default:
		p.gaps, p.spent = 0, 0
		p.count, p.since = 0, now
		if p.steady {
			p.longest = min(gap, longestGap)
		}
	}
	p.total++
	p.count++
	p.last = max(p.last, now)
	if p.count >= steadyCount && now-p.since >= steadyTime {
		p.steady = true
	}
}

// weight is what is left of the past's weight after a gap.
func weight(gap, while time.Duration) float64 { return float64(while) / float64(while+gap) }

// while is the time over which the rate is taken.
func (p *pace) while() time.Duration { return max(while, whileGaps*p.longest) }

// patience is how long the checker may not ask before that is a silence.
func (p *pace) patience() time.Duration {
	if !p.steady {
		return apart
	}
	return max(leastQuiet, quietGaps*p.longest)
}

// usual is the rate at the last question, a second; 0 if there was only one.
func (p *pace) usual() float64 {
	if p.gaps == 0 {
		return 0
	}
	return min(p.gaps/max(p.spent, 1/fastest), fastest)
}

// rate is the rate at now, a second. Once no question has come for longer than
// usual it falls, to a third after some 10 s for who asked twice a second, and
// to nothing in the end.
func (p *pace) rate(now time.Duration) float64 {
	usual := p.usual()
	if usual == 0 {
		return 0
	}
	over := now - p.last - time.Duration(float64(time.Second)/usual)
	if over <= 0 {
		return usual
	}
	w := weight(over, p.while())
	return p.gaps * w / (p.spent*w + over.Seconds())
}
