package judge

// Service is the facts of one service. It is immutable.
type Service struct {
	// Instances are its processes, in the order of their joining. There is
	// none until one has reported.
	Instances []*Instance
}

// Evaluate returns the verdict on the service for each aspect at now. Every
// process that counts must be well.
func Evaluate(p Policy, s Service, now Instant) [Aspects]Verdict {
	counted, next := s.counted(p, now)
	failing := countFailing(p, counted, now)
	var verdicts [Aspects]Verdict
	for a := range Aspect(Aspects) {
		verdicts[a] = all(p, counted, a, now)
		next = min(next, verdicts[a].Next)
	}
	for a := range verdicts {
		v := &verdicts[a]
		v.Failing = failing
		v.Next = next // the earliest of all aspects', since each tells what is failing
		v.crowd = len(s.Instances) > 1
	}
	return verdicts
}

// Counted returns the instances that the verdict at now is made of.
func (s Service) Counted(p Policy, now Instant) []*Instance {
	counted, _ := s.counted(p, now)
	return counted
}

// counted returns the instances that the verdict is made of, and when time
// alone changes that. A newcomer does not count while it is starting, nor if
// it is lost before it has started, and a lost process counts until it is
// forgotten; where nothing else is left, they count all the same.
func (s Service) counted(p Policy, now Instant) ([]*Instance, Instant) {
	next := Never
	var counted []*Instance
	for _, in := range s.Instances {
		if in.Newcomer {
			f := in.judge(p, Readiness, now)
			next = min(next, f.next)
			if f.cause == Starting || f.cause == Lost {
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

// all judges for one aspect by the rule that every instance must be well.
func all(p Policy, instances []*Instance, a Aspect, now Instant) Verdict {
	if len(instances) == 0 {
		return NoService(now)
	}
	v := Verdict{Status: Serving, Cause: None, Weight: 100, FactsAt: Never, Next: Never}
	for _, in := range instances {
		f := in.judge(p, a, now)
		v.FactsAt = min(v.FactsAt, in.FactsAt(a))
		v.Next = min(v.Next, f.next)
		if f.cause.before(v.Cause) {
			v.Status, v.Weight = NotServing, 0
			v.Cause, v.instance, v.landmark = f.cause, in, f.landmark
		}
	}
	return v
}
