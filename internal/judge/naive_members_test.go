package judge

import "slices"

// This file decides which process has which slot, from the documented rules and the
// log.

// join adds the first report of a process.
func (n *naive) join(id int, name string, started bool, now Instant) {
	n.forget(now)
	n.members = without(n.members, func(q member) bool {
		return q.presence == Awaited && q.presenceBefore == SaidGoodbye && q.name != name
	})
	p := member{id: id, name: name, since: now}
	own := func(q member) bool { return q.name == name }
	at := slices.IndexFunc(n.members, func(q member) bool { return own(q) && q.presence != Connected })
	waiting := slices.IndexFunc(n.members, func(q member) bool { return own(q) && n.isNewcomer(n.now(q), now) })
	counting := slices.IndexFunc(n.members, func(q member) bool { return own(q) && !n.isNewcomer(n.now(q), now) })
	switch {
	case at >= 0:
	case counting >= 0 && started:
		at = counting
	case waiting >= 0:
		at = waiting
	case counting >= 0:
	default: // the oldest vacancy
		for i, q := range n.members {
			if (q.presence == Vacant || q.presence == SaidGoodbye) && (at < 0 || q.since < n.members[at].since) {
				at = i
			}
		}
	}
	if at >= 0 {
		p.newcomer, p.addedAt = n.members[at].newcomer && !n.now(n.members[at]).started, n.members[at].addedAt
		if n.members[at].presence == Awaited { // it is back
			p.formerIDs = append(n.members[at].formerIDs, n.members[at].id)
		}
		n.members[at] = p
	} else {
		p.newcomer = len(n.members) > 0
		if p.newcomer {
			p.addedAt = len(n.log)
		}
		n.members = append(n.members, p)
	}
	if started {
		n.members = without(n.members, func(q member) bool { return own(q) && q.id != id })
	}
}

// report adds a report. If the process has started with it, it takes the slot of
// an older process of its name.
func (n *naive) report(id int, started bool) {
	p := n.find(id)
	if !started || !p.newcomer || n.hadStarted(id) {
		return
	}
	i := slices.IndexFunc(n.members, func(q member) bool { return q.name == p.name && q.id != id })
	if i < 0 {
		return
	}
	p.newcomer, p.addedAt = false, n.members[i].addedAt
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
	uncounted := gone.newcomer && !n.hadStarted(id)
	gone.presence, gone.since = how, now
	if how == Vacant && !uncounted {
		n.fillVacancy(*gone)
	}
}

// restart restarts the sidecar, which forgets all reports. If unknown, it forgets
// the processes too; otherwise it awaits each of them, and those that were failing
// still count as failing.
func (n *naive) restart(unknown bool, now Instant) {
	for i := range n.members {
		p := &n.members[i]
		p.newcomer = p.newcomer && !n.hadStarted(p.id)
		if p.presence != Awaited {
			p.presenceBefore = p.presence
			if p.presenceBefore == Connected {
				p.since = now
			}
		}
		p.presence = Awaited
	}
	if unknown {
		n.members = nil
	}
	n.began, n.past = len(n.log), nil
}

// endGrace ends the start grace. A process that has not come back is lost, or is
// dropped if it was leaving and there are others.
func (n *naive) endGrace(now Instant) {
	missed := without(n.members, func(q member) bool { return q.presence != Awaited })
	slices.SortStableFunc(missed, func(p, q member) int { return int(p.since.Sub(q.since)) })
	for _, q := range missed {
		p := n.find(q.id)
		if len(n.members) > 1 && (n.now(q).draining || q.presenceBefore == SaidGoodbye) {
			n.members = without(n.members, func(r member) bool { return r.id == q.id })
			continue
		}
		p.presence = p.presenceBefore
		if p.presenceBefore == Connected {
			p.presence, p.since = Vacant, now
		}
		if p.presence == Vacant && !p.newcomer {
			n.fillVacancy(*p)
		}
	}
}

// fillVacancy gives the slot of a lost process to its successor, if it has one.
func (n *naive) fillVacancy(gone member) {
	heir := n.successor(gone)
	if heir == 0 {
		return
	}
	p := n.find(heir)
	p.newcomer, p.addedAt = false, gone.addedAt
	n.members = without(n.members, func(q member) bool { return q.id == gone.id })
}

// successor returns the id of the process that fills the slot of a lost one, 0 if
// none does.
func (n *naive) successor(gone member) int {
	there := without(n.members, func(q member) bool { return q.presence != Connected || q.id == gone.id })
	for _, q := range there {
		if q.name == gone.name {
			return q.id
		}
	}
	for _, q := range there {
		if newcomer := q.newcomer && !n.hadStarted(q.id); q.addedAt > 0 && !newcomer && n.failedFrom(gone, q.addedAt) {
			return q.id
		}
	}
	for _, q := range there {
		namesake := len(without(n.members, func(r member) bool { return r.name != q.name })) > 1
		if q.newcomer && !n.hadStarted(q.id) && !namesake {
			return q.id
		}
	}
	return 0
}

// failedFrom reports whether a process was failing at the moment of that number
// and at each moment since.
func (n *naive) failedFrom(gone member, number int) bool {
	failing := func(m moment, now Instant) bool {
		i := slices.IndexFunc(m.members, func(p member) bool { return p.id == gone.id || slices.Contains(gone.formerIDs, p.id) })
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

// forget drops the vacancies that no longer count.
func (n *naive) forget(now Instant) {
	m := moment{}
	for _, p := range n.members {
		m.members = append(m.members, n.now(p))
	}
	counted := n.counted(m, now)
	n.members = without(n.members, func(p member) bool {
		return p.presence != Connected && !slices.ContainsFunc(counted, func(q member) bool { return q.id == p.id })
	})
}

// now returns the member with its last report.
func (n *naive) now(p member) member {
	for _, q := range n.current().members {
		if q.id == p.id {
			p.reportedAt, p.draining, p.facts, p.started = q.reportedAt, q.draining, q.facts, q.started
		}
	}
	return p
}

func (n *naive) find(id int) *member {
	return &n.members[slices.IndexFunc(n.members, func(p member) bool { return p.id == id })]
}
