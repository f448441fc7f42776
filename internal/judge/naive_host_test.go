package judge

import "slices"

// ofHost adds the host to the verdict on the processes. Its causes count as theirs.
// If no process needs to be there and none is, it counts alone.
func (n *naive) ofHost(m moment, o undampedVerdict, a Aspect, now Instant) undampedVerdict {
	if len(m.host) == 0 {
		return o
	}
	alone := len(m.members) == 0 && n.policy.Quorum == NoneNeeded && slices.ContainsFunc(m.host, func(l Landmark) bool { return affectsAspect(l, Readiness) })
	if alone {
		o = undampedVerdict{expected: expected{status: Serving, cause: None, percent: 100, factsAt: Never}}
	}
	if a == Startup && !alone {
		return o // the program decides
	}
	o.factsAt = min(o.factsAt, m.hostReadAt)
	for _, l := range readOfHost(m, a) {
		if l.TTL > 0 && !(l.Unreadable && a == Liveness) {
			o.factsAt = min(o.factsAt, l.At)
		}
	}
	cause, by := n.causeOfHost(m, a, now)
	if cause != None {
		o.status, o.percent = NotServing, 0
		if slices.Index(causeOrder, cause) < slices.Index(causeOrder, o.cause) {
			o.cause, o.instances, o.host = cause, nil, by
		}
		return o
	}
	for _, l := range m.host {
		if l.Impact != ImpactInformational && (l.Unreadable || isFailing(l, now)) && l.Reached {
			o.percent = 0
		}
	}
	return o
}

// causeOfHost returns the first cause that the host gives, and the landmarks that
// gave it.
func (n *naive) causeOfHost(m moment, a Aspect, now Instant) (Cause, []Landmark) {
	if a == Startup {
		if m.hostWasHealthy {
			return None, nil
		}
		return Starting, slices.DeleteFunc(slices.Clone(m.host), func(l Landmark) bool {
			return !affectsAspect(l, Readiness) || l.Reached && !l.Unreadable && !isFailing(l, now)
		})
	}
	if a == Readiness && now.Sub(m.hostReadAt) > n.policy.StaleAfter {
		return Stale, nil
	}
	var by [len(causes{})][]Landmark
	holds := causes{None: true}
	for _, l := range m.host {
		c := causeOfHostLandmark(l, a, now)
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

// causeOfHostLandmark returns the cause that a landmark of the host gives.
func causeOfHostLandmark(l Landmark, a Aspect, now Instant) Cause {
	switch {
	case !affectsAspect(l, a):
		return None
	case !l.Reached && a == Readiness:
		return Starting
	case !l.Reached:
		return None
	case l.Unreadable && a == Readiness: // a restart of the program would not help
		return Failed
	case l.Unreadable:
		return None
	case l.Kind == KindCondition && l.Met && a == Liveness: // healthy, or not checked since
		return None
	default:
		return causeOfLandmark(l, a, now)
	}
}

// readOfHost returns the landmarks that were read and affect the aspect.
func readOfHost(m moment, a Aspect) []Landmark {
	return slices.DeleteFunc(slices.Clone(m.host), func(l Landmark) bool { return !l.Reached || !affectsAspect(l, a) })
}

func (n *naive) hostIsHealthy(m moment, now Instant) bool {
	cause, _ := n.causeOfHost(m, Readiness, now)
	return cause == None && len(readOfHost(m, Readiness)) > 0
}

func (n *naive) failingOfHost(m moment, now Instant) (failing int) {
	silent := now.Sub(m.hostReadAt) > n.policy.StaleAfter
	for _, l := range m.host {
		if silent || l.Reached && (l.Unreadable || isFailing(l, now)) {
			failing++
		}
	}
	return failing
}
