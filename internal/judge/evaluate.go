package judge

import "slices"

// Service is the facts about one service. It is immutable.
type Service struct {
	// Instances are its processes, in the order in which they joined. It is
	// empty until one has reported.
	Instances []*Instance
	// Host is what the sidecar reads by itself.
	Host Host
	// Drained means that the service has been taken out as a whole: it gets no new
	// work, and open connections may finish.
	Drained bool
	// Stopping means that it is drained only because the sidecar is about to stop.
	Stopping bool
	// Incomplete means that there may be processes that the sidecar does not
	// know about: it has just started, and no file says which processes there
	// were before.
	Incomplete bool
	// History is the History of the last Result.
	History History
}

// Result is the judgement of a service at an instant.
type Result struct {
	Verdicts [Aspects]Verdict
	History  History // for the next evaluation
	Next     Instant // when time alone changes any of the verdicts, Never if it does not
}

// Evaluate judges the service at now.
func Evaluate(p Policy, s Service, now Instant) Result {
	counted, next := s.counted(p, now)
	r := Result{Next: next}
	started := s.History.Started || s.Host.healthy(p, now)
	for a := range Aspect(Aspects) {
		g := s.evaluateAspect(p, counted, a, started, now)
		if a == Readiness {
			r.Verdicts[a], r.History = p.damp(s.applyDrain(g), s.History, now)
		} else {
			r.Verdicts[a] = g.undamped()
		}
		r.Next = min(r.Next, r.Verdicts[a].Next)
	}
	r.History.Started = started
	failing := countFailing(p, counted, s.Host, now)
	for a := range r.Verdicts {
		v := &r.Verdicts[a]
		v.Failing = failing
		v.Next = r.Next // each verdict has Failing, which may change when any aspect does
		v.multiInstance = len(s.Instances) > 1
	}
	return r
}

// evaluateAspect judges one aspect of the processes that count, together with
// their host. The host says nothing about startup if there is a process.
func (s Service) evaluateAspect(p Policy, counted []*Instance, a Aspect, started bool, now Instant) aggregate {
	hostOnly := len(counted) == 0 && p.Quorum.NoneNeeded && s.Host.affectsReadiness()
	g := healthyWithoutInstances()
	if !hostOnly {
		g = p.Quorum.evaluateInstances(p, s.activeInstances(counted, a), a, now)
		g.intentional = g.verdict.Status != Serving && p.Quorum.intentional(counted, g)
		if s.Incomplete && p.Quorum.AtLeast != 1 && g.verdict.Status == Serving {
			g.verdict.Status, g.verdict.Cause, g.verdict.incomplete = NotServing, Unreported, true
		}
	}
	switch {
	case len(s.Host.Landmarks) == 0:
		return g
	case a != Startup:
		return g.withHost(s.Host, a, s.Host.evaluate(p, a, now))
	case hostOnly:
		return g.withHost(s.Host, a, s.Host.evaluateStartup(started, now))
	default:
		return g
	}
}

// Counted returns the instances that count for the verdict at now.
func (s Service) Counted(p Policy, now Instant) []*Instance {
	counted, _ := s.counted(p, now)
	return counted
}

// counted returns the instances that count, and when time alone changes that.
// A newcomer does not count while it is starting, draining or not, or if it is
// lost before it has started. A lost process counts until it is forgotten. If
// no other instance is left, all of them count.
func (s Service) counted(p Policy, now Instant) ([]*Instance, Instant) {
	next := Never
	counts := func(in *Instance) bool {
		if in.Newcomer {
			r := in.evaluate(p, Readiness, now)
			next = min(next, r.next)
			if r.excludesNewcomer() {
				return false
			}
		}
		if in.forgotten(p, now) {
			return false
		}
		if in.Presence == Vacant {
			next = min(next, in.forgottenAt(p.ForgetAfter))
		}
		return true
	}
	counted := only(s.Instances, counts)
	if len(counted) == 0 {
		counted = s.Instances
	}
	return counted, next
}

// only returns the instances that keep accepts, which is called once for each. If it
// accepts all, as usual, that is instances itself: each report is judged, and needs no
// copy for that.
func only(instances []*Instance, keep func(*Instance) bool) []*Instance {
	for i, in := range instances {
		if keep(in) {
			continue
		}
		kept := slices.Clone(instances[:i])
		for _, in := range instances[i+1:] {
			if keep(in) {
				kept = append(kept, in)
			}
		}
		return kept
	}
	return instances
}

// activeInstances returns the instances that count for the aspect. A draining
// one does not count for readiness, unless all of them are draining.
func (s Service) activeInstances(counted []*Instance, a Aspect) []*Instance {
	if a != Readiness {
		return counted
	}
	active := only(counted, func(in *Instance) bool { return !in.Draining })
	if len(active) == 0 {
		return counted
	}
	return active
}

// applyDrain returns the readiness of the service with the drain of the whole
// service, if there is one. A cause that precedes Draining stays.
func (s Service) applyDrain(g aggregate) aggregate {
	if !s.Drained {
		return g
	}
	g.intentional = true
	if v := &g.verdict; Draining.precedes(v.Cause) {
		v.Status, v.Cause = NotServing, Draining
		v.instance, v.landmark, v.missing = nil, nil, 0
		v.stopping = s.Stopping
	}
	return g
}
