package judge

// Service is the facts of one service. It is immutable.
type Service struct {
	// Instances are its processes, in the order of their joining. There is
	// none until one has reported.
	Instances []*Instance
	// Host is what the sidecar sees by itself.
	Host Host
	// Drained is that an operator wants it out: ready for no new work, its
	// connections left to finish.
	Drained bool
	// Incomplete is that processes may be missing of which the sidecar does not
	// know: it has just started, and nothing says who was there before.
	Incomplete bool
	// History is what was judged of it before.
	History History
}

// Result is what the facts of a service come to.
type Result struct {
	Verdicts [Aspects]Verdict
	History  History // to be given to the next evaluation
	Next     Instant // when time alone changes any of the verdicts, Never if it does not
}

// Evaluate judges the service at now.
func Evaluate(p Policy, s Service, now Instant) Result {
	counted, next := s.counted(p, now)
	j := Result{Next: next}
	started := s.History.Started || s.Host.well(p, now)
	for a := range Aspect(Aspects) {
		t := s.judge(p, counted, a, started, now)
		if a == Readiness {
			j.Verdicts[a], j.History = p.damp(s.drain(t), s.History, now)
		} else {
			j.Verdicts[a] = t.undamped()
		}
		j.Next = min(j.Next, j.Verdicts[a].Next)
	}
	j.History.Started = started
	failing := countFailing(p, counted, s.Host, now)
	for a := range j.Verdicts {
		v := &j.Verdicts[a]
		v.Failing = failing
		v.Next = j.Next // the earliest of all aspects', since each tells what is failing
		v.crowd = len(s.Instances) > 1
	}
	return j
}

// judge makes the verdict for one aspect of the processes that count and of
// their host. Whether it has started, a program knows better than its host.
func (s Service) judge(p Policy, counted []*Instance, a Aspect, started bool, now Instant) tally {
	absent := len(counted) == 0 && p.Quorum.NoneNeeded && s.Host.vouches()
	t := nobody()
	if !absent {
		t = p.Quorum.judge(p, s.working(counted, a), a, now)
		t.unwanted = t.verdict.Status != Serving && p.Quorum.unwanted(counted, t)
		if s.Incomplete && p.Quorum.AtLeast != 1 && t.verdict.Status == Serving {
			t.verdict.Status, t.verdict.Cause, t.verdict.incomplete = NotServing, Unreported, true
		}
	}
	switch {
	case len(s.Host.Landmarks) == 0:
		return t
	case a != Startup:
		return t.and(s.Host, s.Host.judge(p, a, now))
	case absent:
		return t.and(s.Host, s.Host.judgeStartup(started, now))
	default:
		return t
	}
}

// Counted returns the instances that the verdict at now is made of.
func (s Service) Counted(p Policy, now Instant) []*Instance {
	counted, _ := s.counted(p, now)
	return counted
}

// counted returns the instances that the verdict is made of, and when time
// alone changes that. A newcomer does not count while it is starting, whether
// or not it drains, nor if it is lost before it has started, and a lost process
// counts until it is forgotten; where nothing else is left, they count all the
// same.
func (s Service) counted(p Policy, now Instant) ([]*Instance, Instant) {
	next := Never
	var counted []*Instance
	for _, in := range s.Instances {
		if in.Newcomer {
			f := in.judge(p, Readiness, now)
			next = min(next, f.next)
			if f.waits() {
				continue
			}
		}
		if in.forgotten(p, now) {
			continue
		}
		if in.Presence == Vacant {
			next = min(next, in.forgottenAt(p.ForgetAfter))
		}
		counted = append(counted, in)
	}
	if len(counted) == 0 {
		counted = s.Instances
	}
	return counted, next
}

// working returns those of the instances that count for the aspect: a draining
// one does not count for readiness, unless all of them are.
func (s Service) working(counted []*Instance, a Aspect) []*Instance {
	if a != Readiness {
		return counted
	}
	var working []*Instance
	for _, in := range counted {
		if !in.Draining {
			working = append(working, in)
		}
	}
	if len(working) == 0 {
		return counted
	}
	return working
}

// drain makes of the readiness of a service what it is where an operator wants
// the service out. What goes before a drain is told all the same.
func (s Service) drain(t tally) tally {
	if !s.Drained {
		return t
	}
	t.unwanted = true
	if v := &t.verdict; Draining.before(v.Cause) {
		v.Status, v.Cause = NotServing, Draining
		v.instance, v.landmark, v.missing = nil, nil, 0
	}
	return t
}

// undamped is the verdict on an aspect that has neither damping nor degrees.
func (t tally) undamped() Verdict {
	v := t.verdict
	if v.Status == Serving {
		v.Weight = 100
	}
	return v
}
