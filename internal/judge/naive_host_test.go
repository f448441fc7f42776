package judge

import "slices"

// ofHost judges the host beside the processes: what it has against the service
// counts as what they have, and where none needs to be there and none is, it
// alone.
func (n *naive) ofHost(m moment, o opinion, a Aspect, now Instant) opinion {
	if len(m.seen) == 0 {
		return o
	}
	alone := len(m.members) == 0 && n.policy.Quorum == NoneNeeded && len(readOfHost(m, Readiness)) > 0
	if alone {
		o = opinion{expected: expected{status: Serving, cause: None, percent: 100, factsAt: Never}}
	}
	if a == Startup && !alone {
		return o // a program knows better
	}
	o.factsAt = min(o.factsAt, m.seenAt)
	cause, by := n.causeOfHost(m, a, now)
	if cause != None {
		o.status, o.percent = NotServing, 0
		if slices.Index(order, cause) < slices.Index(order, o.cause) {
			o.cause, o.culprits, o.seen = cause, nil, by
		}
		return o
	}
	for _, l := range m.seen {
		if l.Impact != ImpactInformational && (l.Unreadable || isFailing(l, now)) && l.Reached {
			o.percent = 0
		}
	}
	return o
}

// causeOfHost is the first cause that the host gives, and whose it is.
func (n *naive) causeOfHost(m moment, a Aspect, now Instant) (Cause, []Landmark) {
	if a == Startup {
		if m.wasWell {
			return None, nil
		}
		return Starting, slices.DeleteFunc(slices.Clone(m.seen), func(l Landmark) bool {
			return !bearsOn(l, Readiness) || l.Reached && !l.Unreadable && !isFailing(l, now)
		})
	}
	if a == Readiness && now.Sub(m.seenAt) > n.policy.StaleAfter {
		return Stale, nil
	}
	var by [len(causes{})][]Landmark
	holds := causes{None: true}
	for _, l := range m.seen {
		c := causeOfSeen(l, a, now)
		holds[c] = true
		by[c] = append(by[c], l)
	}
	first := holds.first()
	if first == None {
		return None, nil
	}
	oldest := slices.MinFunc(by[first], func(l, m Landmark) int { return int(l.At.Sub(m.At)) }).At
	return first, slices.DeleteFunc(by[first], func(l Landmark) bool { return l.At > oldest })
}

// causeOfSeen is what a landmark of the host gives for a cause.
func causeOfSeen(l Landmark, a Aspect, now Instant) Cause {
	switch {
	case !bearsOn(l, a):
		return None
	case !l.Reached && a == Readiness:
		return Starting
	case !l.Reached:
		return None
	case l.Unreadable && a == Readiness: // a restart opens no eyes
		return Failed
	case l.Unreadable:
		return None
	default:
		return causeOfLandmark(l, a, now)
	}
}

// readOfHost are the landmarks that were read and bear on the aspect.
func readOfHost(m moment, a Aspect) []Landmark {
	return slices.DeleteFunc(slices.Clone(m.seen), func(l Landmark) bool { return !l.Reached || !bearsOn(l, a) })
}

func (n *naive) hostIsWell(m moment, now Instant) bool {
	cause, _ := n.causeOfHost(m, Readiness, now)
	return cause == None && len(readOfHost(m, Readiness)) > 0
}

func (n *naive) failingOfHost(m moment, now Instant) (failing int) {
	silent := now.Sub(m.seenAt) > n.policy.StaleAfter
	for _, l := range m.seen {
		if silent || l.Reached && (l.Unreadable || isFailing(l, now)) {
			failing++
		}
	}
	return failing
}
