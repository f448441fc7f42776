package judge

import "math"

// aggregate is the result of a service's instances together, for one aspect.
type aggregate struct {
	verdict     Verdict // without its weight
	healthy     int     // how many instances are
	capacity    float64 // how much of their full capacity the instances can use together, 0 to 1
	intentional bool    // an operator or the processes themselves have taken the service out
}

// healthyWithoutInstances is the result if no process needs to be there and
// none is.
func healthyWithoutInstances() aggregate {
	return aggregate{verdict: Verdict{Status: Serving, Cause: None, FactsAt: Never, Next: Never}, capacity: 1}
}

// evaluateInstances judges one aspect of the given instances.
func (q Quorum) evaluateInstances(p Policy, instances []*Instance, a Aspect, now Instant) aggregate {
	if len(instances) == 0 {
		return aggregate{verdict: NoService(now)}
	}
	v := Verdict{Status: Serving, Cause: None, FactsAt: Never, Next: Never}
	healthy, capacity := 0, 0.0
	for _, in := range instances {
		r := in.evaluate(p, a, now)
		v.FactsAt = min(v.FactsAt, in.FactsAt(a))
		v.Next = min(v.Next, r.next)
		capacity += r.capacity
		if r.cause == None {
			healthy++
		}
		if r.cause.precedes(v.Cause) {
			v.Cause, v.instance, v.landmark = r.cause, in, r.landmark
		}
	}
	switch {
	case q.met(healthy, len(instances)), a == Liveness && v.Cause == None:
		// For liveness, a process that is not there yet is not dead.
		v.Cause, v.instance, v.landmark = None, nil, nil
	case v.Cause == None:
		// All instances are healthy, but there are too few.
		v.Status, v.Cause = NotServing, Starting
		v.missing = q.AtLeast - healthy
	default:
		v.Status = NotServing
	}
	return aggregate{verdict: v, healthy: healthy, capacity: capacity / float64(len(instances))}
}

// intentional reports whether an unhealthy service is unhealthy because its
// processes take no more work: they drain or have said goodbye. It is, if no
// other process is connected, or if the service would be healthy with them.
func (q Quorum) intentional(counted []*Instance, g aggregate) bool {
	leaving, staying := 0, 0
	for _, in := range counted {
		switch {
		case in.Draining || in.Presence == SaidGoodbye:
			leaving++
		case in.Presence == Connected:
			staying++
		}
	}
	switch {
	case leaving > 0 && staying == 0:
		return true
	case g.verdict.missing > 0: // those that stay are healthy, but too few
		return true
	default: // with those that leave there would be enough
		return q.AtLeast > 0 && g.healthy+leaving >= q.AtLeast
	}
}

// withHost adds the result of the service's host for the aspect. Both must be healthy.
// If both have the same cause, the verdict names the program.
func (g aggregate) withHost(h Host, a Aspect, r causeResult) aggregate {
	v := &g.verdict
	v.FactsAt = min(v.FactsAt, h.factsAt(a))
	v.Next = min(v.Next, r.next)
	v.hostReadAt = h.ReadAt
	g.capacity = min(g.capacity, r.capacity)
	if r.cause == None {
		return g
	}
	v.Status, g.capacity = NotServing, 0
	if r.cause.precedes(v.Cause) {
		v.Cause, v.instance, v.landmark, v.missing = r.cause, nil, r.landmark, 0
	}
	return g
}

// undamped returns the verdict for an aspect without damping, whose weight is 0
// or 100.
func (g aggregate) undamped() Verdict {
	v := g.verdict
	if v.Status == Serving {
		v.Weight = 100
	}
	return v
}

// weightOf returns a capacity as a weight: in whole percent, and at least 1,
// since 0 means not serving.
func weightOf(capacity float64) uint8 {
	return uint8(max(1, math.Round(100*capacity)))
}
