package checkers

import "time"

const (
	// rateWindow is the time over which a rate is measured: a gap that long ago
	// has about a third of the weight of the last one. The window is windowGaps
	// times the longest recent gap, if that is longer.
	rateWindow = 10 * time.Second
	windowGaps = 10
	// A checker is steady after steadyCount checks over at least steadyTime, or
	// after a watch of that length.
	steadyCount = 10
	steadyTime  = 30 * time.Second
	// A steady checker is silent when its last check is older than silentGaps
	// times its longest recent gap, and older than minSilence.
	silentGaps = 5
	minSilence = 10 * time.Second
	// gapKept is how much of the longest recent gap is kept at each check, at
	// least. Some checkers, such as Nagios, check more often while something is
	// wrong, and then go back to their usual rate.
	gapKept = 0.9
	// maxReturnGap limits the gap that counts as the longest recent one when a
	// checker is back from a silence. So a checker that now checks less often
	// is not reported as silent again and again.
	maxReturnGap = 2 * time.Minute
	// maxGap is the longest gap between two checks that counts for the rate, of
	// a checker that is not steady.
	maxGap = 10 * time.Minute
	// maxRate is the highest rate, per second.
	maxRate = 1e6
)

// rateMeter measures how often a checker checks.
//
// The rate is the number of gaps between checks, divided by the time spent in
// them. Both are weighted; the weight of the past falls by window/(window+gap)
// at each check. For a checker with regular checks the rate is exact from the
// second check on. For one that sends several checks at once at regular times it
// is off by 10 % at most. For checks that come at random, r per second, its
// standard deviation is about 1/√(2·10·r) of it: 7 % at 10 per second. When the
// checker changes its rate, the measured rate covers nine tenths of the change
// after about 25 s.
type rateMeter struct {
	total      uint64        // checks
	count      uint64        // checks since the last gap that was too long to count
	countSince time.Duration // time of the first of them
	last       time.Duration // time of the last check
	gaps       float64       // weighted number of gaps
	spent      float64       // weighted time in the gaps, in seconds
	longest    time.Duration // longest recent gap
	steady     bool          // the checker was steady at least once
}

// add adds n checks at now. Concurrent checks may be added out of order.
func (r *rateMeter) add(n int, now time.Duration) {
	gap := max(0, now-r.last)
	switch {
	case r.total > 0 && gap <= r.silentAfter():
		r.longest = max(gap, time.Duration(float64(r.longest)*max(decay(gap, rateWindow), gapKept)))
		w := decay(gap, r.window())
		r.gaps = r.gaps*w + 1
		r.spent = r.spent*w + float64(gap)/float64(time.Second)
	default:
		r.gaps, r.spent = 0, 0
		r.count, r.countSince = 0, now
		if r.steady {
			r.longest = min(gap, maxReturnGap)
		}
	}
	r.gaps += float64(n - 1) // of no time
	r.total += uint64(n)
	r.count += uint64(n)
	r.last = max(r.last, now)
	if r.count >= steadyCount && now-r.countSince >= steadyTime {
		r.steady = true
	}
}

// decay returns the factor for the weight of the past after a gap.
func decay(gap, window time.Duration) float64 { return float64(window) / float64(window+gap) }

// window returns the time over which the rate is measured.
func (r *rateMeter) window() time.Duration { return max(rateWindow, windowGaps*r.longest) }

// silentAfter returns how long after the last check a silence begins.
func (r *rateMeter) silentAfter() time.Duration {
	if !r.steady {
		return maxGap
	}
	return max(minSilence, silentGaps*r.longest)
}

// usualRate returns the rate at the last check, per second; 0 if there was only
// one.
func (r *rateMeter) usualRate() float64 {
	if r.gaps == 0 {
		return 0
	}
	return min(r.gaps/max(r.spent, 1/maxRate), maxRate)
}

// rate returns the rate at now, per second. It falls once the next check is
// overdue: to a third after about 10 s if the rate was 2 per second, and to 0 in
// the end.
func (r *rateMeter) rate(now time.Duration) float64 {
	usual := r.usualRate()
	if usual == 0 {
		return 0
	}
	over := now - r.last - time.Duration(float64(time.Second)/usual)
	if over <= 0 {
		return usual
	}
	w := decay(over, r.window())
	return r.gaps * w / (r.spent*w + over.Seconds())
}
