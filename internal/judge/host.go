package judge

import (
	"slices"

	"github.com/landmark-health/landmark/internal/rule"
)

// Host is what the sidecar reads by itself on the host of a service, without
// any program. The zero value means that nothing is read.
type Host struct {
	Landmarks []Landmark
	ReadAt    Instant // when they were last read; has no meaning before the first time
}

// affectsReadiness reports whether a landmark affects readiness. Then the host can be
// judged without any process.
func (h Host) affectsReadiness() bool {
	return slices.ContainsFunc(h.Landmarks, func(l Landmark) bool { return affects(&l, Readiness) })
}

// Unread reports whether a landmark that affects readiness was not read yet.
func (h Host) Unread() bool {
	return slices.ContainsFunc(h.Landmarks, func(l Landmark) bool { return !l.Reached && affects(&l, Readiness) })
}

// factsAt returns the instant of the host's facts for the aspect: the oldest that is
// valid for a time only, or the last reading if that is older or there is none.
func (h Host) factsAt(a Aspect) Instant {
	at := h.ReadAt
	for i := range h.Landmarks {
		if l := &h.Landmarks[i]; l.Reached && l.TTL > 0 && affects(l, a) {
			at = min(at, l.At)
		}
	}
	return at
}

// healthy reports whether the host is ready at now, and has a landmark that
// says so.
func (h Host) healthy(p Policy, now Instant) bool {
	return h.affectsReadiness() && h.evaluate(p, Readiness, now).cause == None
}

// evaluate evaluates the host's landmarks for readiness or liveness. Only
// readiness becomes stale: the sidecar's own failure to read is no reason to
// restart a program.
func (h Host) evaluate(p Policy, a Aspect, now Instant) causeResult {
	r := causeResult{cause: None, capacity: 1, next: Never}
	if len(h.Landmarks) == 0 {
		return r
	}
	if a == Readiness {
		if h.stale(p, now) {
			return causeResult{cause: Stale, next: Never}
		}
		r.next = h.ReadAt.Add(p.StaleAfter) + 1
	}
	for i := range h.Landmarks {
		l := &h.Landmarks[i]
		s := evaluateOnHost(l, now)
		r.next = min(r.next, s.Next)
		if l.Impact != ImpactInformational {
			r.capacity = min(r.capacity, s.Capacity)
		}
		if affects(l, a) && !(a == Liveness && s.State == Failing && expired(l)) {
			r.consider(causeOf(l, s.State, a), l)
		}
	}
	return r
}

// evaluateStartup evaluates startup of a service without a process. Once all
// landmarks were healthy at the same time it has started, and stays so.
func (h Host) evaluateStartup(started bool, now Instant) causeResult {
	r := causeResult{cause: None, capacity: 1, next: Never}
	if started {
		return r
	}
	r.cause = Starting
	for i := range h.Landmarks {
		if l := &h.Landmarks[i]; affects(l, Readiness) && evaluateOnHost(l, now).State != OK {
			r.landmark = l
			break
		}
	}
	return r
}

// stale reports whether the sidecar has not read the host for too long.
func (h Host) stale(p Policy, now Instant) bool { return now.Sub(h.ReadAt) > p.StaleAfter }

// State returns the state of the host's landmark l at now. All landmarks fail
// while the host is stale.
func (h Host) State(p Policy, l *Landmark, now Instant) State {
	if h.stale(p, now) {
		return Failing
	}
	return evaluateOnHost(l, now).State
}

// expired reports whether a landmark of the host that is failing fails because the
// sidecar has not checked it for too long: it was met when it was last checked. As when
// reading fails, that is no reason to restart a program.
func expired(l *Landmark) bool { return l.Kind == KindCondition && l.Met && !l.Unreadable }

// evaluateOnHost evaluates a landmark of the host. Until it was read, it is
// neither healthy nor failing, whatever its kind.
func evaluateOnHost(l *Landmark, now Instant) rule.Result {
	switch {
	case !l.Reached:
		return rule.Result{State: Unarmed, Capacity: 1, Next: Never}
	case l.Unreadable:
		return rule.Result{State: Failing, Next: Never}
	default:
		return l.Evaluate(now)
	}
}
