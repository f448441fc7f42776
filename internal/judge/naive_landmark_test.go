package judge

import (
	"slices"
	"time"
)

// bearsOn reports whether a landmark's failing fails the aspect.
func bearsOn(l Landmark, a Aspect) bool {
	return l.Impact == ImpactCritical || l.Impact == ImpactReadiness && a != Liveness
}

// causeOfLandmark is what a landmark gives for a cause where it bears on the
// aspect.
func causeOfLandmark(l Landmark, a Aspect, now Instant) Cause {
	switch {
	case isFailing(l, now) && l.Kind <= KindLoop:
		return Stalled
	case isFailing(l, now):
		return Failed
	case isAwaited(l) && a == Readiness:
		return Starting
	default:
		return None
	}
}

// isAwaited reports whether the program has not started for want of this
// landmark. A Deadline without work is well, unless work was to come in time.
func isAwaited(l Landmark) bool {
	return !l.Reached && !(l.Kind == KindDeadline && l.StartWithin == 0)
}

func isFailing(l Landmark, now Instant) bool {
	older := func(limit time.Duration) bool { return now.Sub(l.At) > limit }
	if isAwaited(l) {
		return l.StartWithin > 0 && older(l.StartWithin)
	}
	switch l.Kind {
	case KindAlive:
		return older(l.Within)
	case KindDeadline, KindLoop:
		return l.Open && older(l.Within)
	case KindLevel:
		if smallIsBad(l) {
			return !(l.Value > l.Limits.FailAt)
		}
		return !(l.Value < l.Limits.FailAt)
	default:
		return !l.Met || l.TTL > 0 && older(l.TTL)
	}
}

func smallIsBad(l Landmark) bool {
	if l.Limits.FailAt == l.Limits.DegradeAt {
		return l.Limits.Below
	}
	return l.Limits.FailAt < l.Limits.DegradeAt
}

// shareOf is how much of a process's capacity its landmarks leave it, the worst
// of them: those that are shown alone aside.
func (n *naive) shareOf(p member, now Instant) float64 {
	share := 1.0
	for _, l := range p.facts {
		if n.endedHang(p.id, l) {
			l.Lag = 0
		}
		if l.Impact != ImpactInformational {
			share = min(share, shareOfLandmark(l, now))
		}
	}
	return share
}

// endedHang reports whether the last answer of a process's loop came when the
// landmark had failed. More than Within it takes in no other way.
func (n *naive) endedHang(id int, l Landmark) bool {
	if l.Kind != KindLoop || l.Lag > l.Within {
		return l.Kind == KindLoop
	}
	for _, m := range slices.Backward(n.log) {
		for _, p := range m.members {
			for _, before := range p.facts {
				if p.id == id && before.Name == l.Name && before.Count != l.Count {
					return before.Kind == KindLoop && before.Count+1 == l.Count && isFailing(before, l.At)
				}
			}
		}
	}
	return false
}

func shareOfLandmark(l Landmark, now Instant) float64 {
	switch {
	case isFailing(l, now):
		return 0
	case isAwaited(l):
		return 1
	case l.Kind == KindLevel && l.Limits.DegradeAt != l.Limits.FailAt:
		// From all at DegradeAt to nothing at FailAt, either way round.
		left := (l.Limits.FailAt - l.Value) / (l.Limits.FailAt - l.Limits.DegradeAt)
		return min(1, left)
	case l.Kind == KindLoop:
		// From all at half of what is allowed to nothing at all of it.
		left := 2 * (1 - float64(l.Lag)/float64(l.Within))
		return min(1, max(0, left))
	default:
		return 1
	}
}

// allReached reports whether a process has started by its last report: it has
// landmarks that bear on readiness, and waits for none of them.
func allReached(p member) bool {
	bearing := false
	for _, l := range p.facts {
		if bearsOn(l, Readiness) {
			if isAwaited(l) {
				return false
			}
			bearing = true
		}
	}
	return bearing
}
