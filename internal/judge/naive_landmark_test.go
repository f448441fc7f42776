package judge

import (
	"slices"
	"time"
)

// affectsAspect reports whether the aspect fails if the landmark fails.
func affectsAspect(l Landmark, a Aspect) bool {
	return l.Impact == ImpactCritical || l.Impact == ImpactReadiness && a != Liveness
}

// causeOfLandmark returns the cause that a landmark gives to an aspect that it
// affects.
func causeOfLandmark(l Landmark, a Aspect, now Instant) Cause {
	switch {
	case isFailing(l, now) && l.Kind <= KindLoop:
		return Stalled
	case isFailing(l, now):
		return Failed
	case isNotYetReached(l) && a == Readiness:
		return Starting
	default:
		return None
	}
}

// isNotYetReached reports whether the program has not started because of this
// landmark. A Deadline without work is healthy, unless it has a StartWithin.
func isNotYetReached(l Landmark) bool {
	return !l.Reached && !(l.Kind == KindDeadline && l.StartWithin == 0)
}

func isFailing(l Landmark, now Instant) bool {
	older := func(limit time.Duration) bool { return now.Sub(l.At) > limit }
	if l.Triggered {
		return true
	}
	if isNotYetReached(l) {
		return l.StartWithin > 0 && older(l.StartWithin) && now > l.ExtendedTo
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

// capacityOf returns the lowest capacity of the process's landmarks, except
// informational ones.
func (n *naive) capacityOf(p member, now Instant) float64 {
	share := 1.0
	for _, l := range p.facts {
		if n.endedHang(p.id, l) {
			l.Lag = 0
		}
		if l.Impact != ImpactInformational {
			share = min(share, capacityOfLandmark(l, now))
		}
	}
	return share
}

// endedHang reports whether the landmark was failing when the last answer of a
// process's loop came. A lag of more than Within has no other cause.
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

func capacityOfLandmark(l Landmark, now Instant) float64 {
	switch {
	case isFailing(l, now):
		return 0
	case isNotYetReached(l):
		return 1
	case l.Kind == KindLevel && l.Limits.DegradeAt != l.Limits.FailAt:
		// From 1 at DegradeAt to 0 at FailAt, in either direction.
		left := (l.Limits.FailAt - l.Value) / (l.Limits.FailAt - l.Limits.DegradeAt)
		return min(1, left)
	case l.Kind == KindLoop:
		// From 1 at half of Within to 0 at Within.
		left := 2 * (1 - float64(l.Lag)/float64(l.Within))
		return min(1, max(0, left))
	default:
		return 1
	}
}

// allReached reports whether a process has started by its last report: it has
// landmarks that affect readiness, and all of them were reached.
func allReached(p member) bool {
	bearing := false
	for _, l := range p.facts {
		if affectsAspect(l, Readiness) {
			if isNotYetReached(l) {
				return false
			}
			bearing = true
		}
	}
	return bearing
}
