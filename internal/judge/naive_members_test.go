package judge

import "slices"

// Who is in which place, from the rules as people read them. The log serves for
// memory.

// join has a process begin to report.
func (n *naive) join(id int, name string, started bool, now Instant) {
	n.forget(now)
	n.members = without(n.members, func(q member) bool {
		return q.gone == Awaited && q.was == SaidGoodbye && q.name != name
	})
	p := member{id: id, name: name, since: now}
	own := func(q member) bool { return q.name == name }
	at := slices.IndexFunc(n.members, func(q member) bool { return own(q) && q.gone != Connected })
	waiting := slices.IndexFunc(n.members, func(q member) bool { return own(q) && n.newcomer(n.now(q), now) })
	counting := slices.IndexFunc(n.members, func(q member) bool { return own(q) && !n.newcomer(n.now(q), now) })
	switch {
	case at >= 0:
	case counting >= 0 && started:
		at = counting
	case waiting >= 0:
		at = waiting
	case counting >= 0:
	default: // the oldest vacancy
		for i, q := range n.members {
			if (q.gone == Vacant || q.gone == SaidGoodbye) && (at < 0 || q.since < n.members[at].since) {
				at = i
			}
		}
	}
	if at >= 0 {
		p.beside, p.spare = n.members[at].beside && !n.now(n.members[at]).started, n.members[at].spare
		if n.members[at].gone == Awaited { // it is back
			p.formerly = append(n.members[at].formerly, n.members[at].id)
		}
		n.members[at] = p
	} else {
		p.beside = len(n.members) > 0
		if p.beside {
			p.spare = len(n.log)
		}
		n.members = append(n.members, p)
	}
	if started {
		n.members = without(n.members, func(q member) bool { return own(q) && q.id != id })
	}
}

// report has a process report, which may have started by that: an older one of
// its name then gives it its place.
func (n *naive) report(id int, started bool) {
	p := n.find(id)
	if !started || !p.beside || n.hadStarted(id) {
		return
	}
	i := slices.IndexFunc(n.members, func(q member) bool { return q.name == p.name && q.id != id })
	if i < 0 {
		return
	}
	p.beside, p.spare = false, n.members[i].spare
	name := p.name
	n.members = without(n.members, func(q member) bool { return q.name == name && q.id != id })
}

// leave ends a process.
func (n *naive) leave(id int, how Presence, onPurpose bool, now Instant) {
	n.forget(now)
	if len(n.members) > 1 && onPurpose {
		n.members = without(n.members, func(q member) bool { return q.id == id })
		return
	}
	gone := n.find(id)
	uncounted := gone.beside && !n.hadStarted(id)
	gone.gone, gone.since = how, now
	if how == Vacant && !uncounted {
		n.succeed(*gone)
	}
}

// restart has the sidecar forget what was reported, and who was there unless
// that is known: then each process is awaited, and what has been failing goes
// on failing.
func (n *naive) restart(unknown bool, now Instant) {
	for i := range n.members {
		p := &n.members[i]
		p.beside = p.beside && !n.hadStarted(p.id)
		if p.gone != Awaited {
			p.was = p.gone
			if p.was == Connected {
				p.since = now
			}
		}
		p.gone = Awaited
	}
	if unknown {
		n.members = nil
	}
	n.began, n.past = len(n.log), nil
}

// settle ends the waiting: who has not come back is lost, and is not missed
// where others are if it was leaving.
func (n *naive) settle(now Instant) {
	missed := without(n.members, func(q member) bool { return q.gone != Awaited })
	slices.SortStableFunc(missed, func(p, q member) int { return int(p.since.Sub(q.since)) })
	for _, q := range missed {
		p := n.find(q.id)
		if len(n.members) > 1 && (n.now(q).draining || q.was == SaidGoodbye) {
			n.members = without(n.members, func(r member) bool { return r.id == q.id })
			continue
		}
		p.gone = p.was
		if p.was == Connected {
			p.gone, p.since = Vacant, now
		}
		if p.gone == Vacant && !p.beside {
			n.succeed(*p)
		}
	}
}

// succeed gives the vacancy of a lost process to its heir, if it has one.
func (n *naive) succeed(gone member) {
	heir := n.heir(gone)
	if heir == 0 {
		return
	}
	p := n.find(heir)
	p.beside, p.spare = false, gone.spare
	n.members = without(n.members, func(q member) bool { return q.id == gone.id })
}

// heir is the process that fills the vacancy of a lost one, 0 if none does.
func (n *naive) heir(gone member) int {
	there := without(n.members, func(q member) bool { return q.gone != Connected || q.id == gone.id })
	for _, q := range there {
		if q.name == gone.name {
			return q.id
		}
	}
	for _, q := range there {
		if newcomer := q.beside && !n.hadStarted(q.id); q.spare > 0 && !newcomer && n.failedFrom(gone, q.spare) {
			return q.id
		}
	}
	for _, q := range there {
		namesake := len(without(n.members, func(r member) bool { return r.name != q.name })) > 1
		if q.beside && !n.hadStarted(q.id) && !namesake {
			return q.id
		}
	}
	return 0
}

// failedFrom reports whether a process was failing when the moment of that
// number came, and has been failing in each moment since.
func (n *naive) failedFrom(gone member, number int) bool {
	failing := func(m moment, now Instant) bool {
		i := slices.IndexFunc(m.members, func(p member) bool { return p.id == gone.id || slices.Contains(gone.formerly, p.id) })
		if i < 0 {
			return false
		}
		c := n.causeOf(m.members[i], Readiness, now)
		return c == Stale || c == Stalled || c == Failed || c == Unreported
	}
	if !failing(n.log[number-1], n.log[number].at) {
		return false
	}
	return !slices.ContainsFunc(n.log[number:], func(m moment) bool { return !failing(m, m.at) })
}

// forget drops the vacancies that do not count any more.
func (n *naive) forget(now Instant) {
	m := moment{}
	for _, p := range n.members {
		m.members = append(m.members, n.now(p))
	}
	counted := n.counted(m, now)
	n.members = without(n.members, func(p member) bool {
		return p.gone != Connected && !slices.ContainsFunc(counted, func(q member) bool { return q.id == p.id })
	})
}

// now is the member with what it last reported.
func (n *naive) now(p member) member {
	for _, q := range n.present().members {
		if q.id == p.id {
			p.heard, p.draining, p.facts, p.started = q.heard, q.draining, q.facts, q.started
		}
	}
	return p
}

func (n *naive) find(id int) *member {
	return &n.members[slices.IndexFunc(n.members, func(p member) bool { return p.id == id })]
}
