package judge

// Host is what the sidecar sees by itself on the host of a service, of which no
// program has to say anything. Its zero value is that nothing is looked at.
type Host struct {
	Landmarks []Landmark
	ReadAt    Instant // when they were last read; of no meaning before the first time
}

// vouches reports whether there is a landmark that was read and bears on
// readiness, so that it can be told something of a service of which no process
// is there.
func (h Host) vouches() bool {
	for i := range h.Landmarks {
		if l := &h.Landmarks[i]; l.Reached && l.bears(Readiness) {
			return true
		}
	}
	return false
}

// well reports whether at now nothing that bears on readiness is wrong, and
// something vouches for that.
func (h Host) well(p Policy, now Instant) bool {
	return h.vouches() && h.judge(p, Readiness, now).cause == None
}

// judge finds what the host's landmarks do to readiness or liveness. That the
// sidecar itself did not read them is no reason to restart a program.
func (h Host) judge(p Policy, a Aspect, now Instant) finding {
	f := finding{cause: None, share: 1, next: Never}
	if len(h.Landmarks) == 0 {
		return f
	}
	if a == Readiness {
		if h.stale(p, now) {
			return finding{cause: Stale, next: Never}
		}
		f.next = h.ReadAt.Add(p.StaleAfter) + 1
	}
	for i := range h.Landmarks {
		l := &h.Landmarks[i]
		r := l.readSeen(now)
		f.next = min(f.next, r.next)
		if l.Impact != ImpactInformational {
			f.share = min(f.share, r.share)
		}
		if l.bears(a) {
			f.consider(l.cause(r.state, a), l)
		}
	}
	return f
}

// judgeStartup answers whether the service has started where no process of it
// is there: once everything was well it has, and stays so.
func (h Host) judgeStartup(started bool, now Instant) finding {
	f := finding{cause: None, share: 1, next: Never}
	if started {
		return f
	}
	f.cause = Starting
	for i := range h.Landmarks {
		if l := &h.Landmarks[i]; l.bears(Readiness) && l.readSeen(now).state != OK {
			f.landmark = l
			break
		}
	}
	return f
}

// stale reports whether the sidecar has not read the host for too long.
func (h Host) stale(p Policy, now Instant) bool { return now.Sub(h.ReadAt) > p.StaleAfter }

// State returns the state of the host's landmark l at now. Nothing vouches for
// what was not read for too long: it fails.
func (h Host) State(p Policy, l *Landmark, now Instant) State {
	if h.stale(p, now) {
		return Failing
	}
	return l.readSeen(now).state
}

// readSeen judges a landmark of the host by itself. Other than a program's,
// which may have no work yet, it says nothing until it was read.
func (l *Landmark) readSeen(now Instant) reading {
	switch {
	case !l.Reached:
		return reading{Unarmed, 1, Never}
	case l.Unreadable:
		return reading{Failing, 0, Never}
	default:
		return l.read(now)
	}
}

// and is the tally of the service's processes and of its host together: both
// have to be well, and of two causes that go before alike, the program's is
// told.
func (t tally) and(h Host, f finding) tally {
	v := &t.verdict
	v.FactsAt = min(v.FactsAt, h.ReadAt)
	v.Next = min(v.Next, f.next)
	v.read = h.ReadAt
	t.share = min(t.share, f.share)
	if f.cause == None {
		return t
	}
	v.Status, t.share = NotServing, 0
	if f.cause.before(v.Cause) {
		v.Cause, v.instance, v.landmark, v.missing = f.cause, nil, f.landmark, 0
	}
	return t
}
