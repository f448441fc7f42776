package judge

import (
	"slices"
	"time"
)

// naive is a second judge, for the first to be held against. It is written
// from the rules as people are told them, and shares with the first no more
// than the words: it keeps a log of everything that happened, remembers no
// verdict, and finds damping by going back through the log.
type naive struct {
	policy  Policy
	members []member // as they are from the next moment on
	log     []moment
	began   int       // the first moment since the sidecar's start
	past    []stretch // of readiness up to the last moment: what the log comes to
}

// moment is what was known of a service from an instant on, up to the next
// moment's.
type moment struct {
	at      Instant
	drained bool // by an operator
	// incomplete is that the sidecar has just started and does not know who
	// else may come back.
	incomplete bool
	members    []member
	seen       []Landmark // of the host
	seenAt     Instant
	wasWell    bool // the host, now or before; told by the log
}

// member is a process in its place.
type member struct {
	id       int   // no two processes have the same
	formerly []int // what it was called before the sidecar restarted
	name     string
	gone     Presence
	was      Presence // if it is awaited: how it left before the restart, Connected if it was there
	since    Instant  // since when it is gone
	heard    Instant
	draining bool
	beside   bool // joined where others were, and filled no vacancy
	spare    int  // the moment before which its place was added beside others, 0 if it was not, or has filled a vacancy
	started  bool // told by the log
	facts    []Landmark
}

// stretch is a time during which readiness, before damping, did not change.
type stretch struct {
	well       bool
	from, last Instant // both belong to it
	onPurpose  Instant // since when somebody wants the service out, Never if nobody does
}

// expected is what is to be told of an aspect.
type expected struct {
	status   Status
	cause    Cause
	percent  float64    // of capacity, exactly
	rising   bool       // by slow_start
	failing  int        // landmarks
	factsAt  Instant    // of the oldest facts that count
	culprits []member   // those whose cause it is
	seen     []Landmark // of the host, whose cause it is where it is nobody's
}

// order is the precedence of causes.
var order = []Cause{Unreported, Stopped, Lost, Stale, Stalled, Failed, Draining, Starting, Recovering, None}

// happen adds to the log what is known from now on.
func (n *naive) happen(m moment) {
	for i := range m.members {
		m.members[i].started = allReached(m.members[i]) || n.hadStarted(m.members[i].id)
	}
	m.wasWell = n.hostIsWell(m, m.at)
	if len(n.log) > n.began {
		m.wasWell = m.wasWell || n.present().wasWell
		n.past = n.stretches(m.at)
	}
	n.log = append(n.log, m)
}

// hadStarted reports whether all of a process's landmarks were reached in any
// of its reports: startup latches.
func (n *naive) hadStarted(id int) bool {
	for _, m := range n.log[n.began:] {
		for _, p := range m.members {
			if p.id == id && p.started {
				return true
			}
		}
	}
	return false
}

func (n *naive) present() moment { return n.log[len(n.log)-1] }

// at says what is to be told at an instant of the last moment or after it.
func (n *naive) at(a Aspect, now Instant) expected {
	raw := n.undamped(n.present(), a, now)
	if a != Readiness {
		raw.percent = 0
		if raw.status == Serving {
			raw.percent = 100
		}
		return raw.expected
	}
	stretches := n.stretches(now)
	told, up := n.told(stretches, now)
	switch {
	case told:
		if risen := now.Sub(up); risen < n.policy.SlowStart {
			raw.percent *= float64(risen) / float64(n.policy.SlowStart)
			raw.rising = true
		}
		raw.status, raw.cause, raw.culprits, raw.seen = Serving, None, nil, nil
		raw.percent = max(1, raw.percent)
	case raw.status == Serving:
		raw.status, raw.cause, raw.percent = NotServing, Recovering, 0
	default:
		raw.percent = 0
	}
	return raw.expected
}

// longAgo is before everything that happens.
const longAgo Instant = -1 << 62

// told reports whether readiness is told to be serving at an instant of the
// last stretch, and since when it rises: forever where nothing was recovered
// from.
func (n *naive) told(s []stretch, now Instant) (bool, Instant) {
	last := s[len(s)-1]
	before := s[:len(s)-1]
	first := !slices.ContainsFunc(before, func(b stretch) bool { return b.well })
	switch {
	case last.well && first:
		return true, longAgo
	case first:
		return false, 0
	}
	wasTold, up := n.told(before, before[len(before)-1].last)
	recovered := last.from.Add(n.policy.RecoverAfter)
	switch {
	case last.well && wasTold:
		return true, up // a fall that nobody was told of
	case last.well:
		return now >= recovered, recovered
	default:
		return wasTold && now < last.from.Add(n.policy.FallAfter) && now < last.onPurpose, up
	}
}

// stretches are those of readiness up to now. Where the facts changed at an
// instant, what was known before held for that instant too; where time alone
// changed what they come to, it did not.
func (n *naive) stretches(now Instant) []stretch {
	all := slices.Clone(n.past)
	m := n.present()
	for i, at := range append(append([]Instant{m.at}, n.turns(m.at, now)...), now) {
		v := n.undamped(m, Readiness, at)
		well := v.status == Serving
		if len(all) == 0 || all[len(all)-1].well != well {
			if len(all) > 0 && i > 0 {
				all[len(all)-1].last = at - 1
			}
			all = append(all, stretch{well: well, from: at, onPurpose: Never})
		}
		last := &all[len(all)-1]
		last.last = at
		if v.onPurpose {
			last.onPurpose = min(last.onPurpose, at)
		}
	}
	return all
}

// turns are the instants after one and up to another at which time may change
// what the present facts come to, in order.
func (n *naive) turns(after, until Instant) []Instant {
	var turns []Instant
	limit := func(from Instant, d time.Duration) {
		if at := from.Add(d) + 1; after < at && at <= until { // older than d is more than d
			turns = append(turns, at)
		}
	}
	limit(n.present().seenAt, n.policy.StaleAfter)
	for _, l := range n.present().seen {
		limit(l.At, l.Within)
	}
	for _, p := range n.present().members {
		limit(p.heard, n.policy.StaleAfter)
		limit(p.since, n.policy.ForgetAfter)
		for _, l := range p.facts {
			limit(l.At, l.Within)
			limit(l.At, l.StartWithin)
			limit(l.At, l.TTL)
		}
	}
	slices.Sort(turns)
	return slices.Compact(turns)
}

// opinion is what is expected before damping.
type opinion struct {
	expected
	onPurpose bool
}

// undamped judges a moment at an instant by itself.
func (n *naive) undamped(m moment, a Aspect, now Instant) opinion {
	o := n.ofHost(m, n.ofProcesses(m, a, now), a, now)
	o.failing = n.failing(n.counted(m, now), now) + n.failingOfHost(m, now)
	if m.drained && a == Readiness {
		o.onPurpose = true
		if slices.Index(order, o.cause) > slices.Index(order, Draining) {
			o.status, o.cause, o.culprits, o.seen = NotServing, Draining, nil, nil
		}
	}
	return o
}

// ofProcesses judges the processes alone.
func (n *naive) ofProcesses(m moment, a Aspect, now Instant) opinion {
	if len(m.members) == 0 {
		return opinion{expected: expected{status: NotServing, cause: Unreported, factsAt: now}}
	}
	counted := n.counted(m, now)
	var o opinion

	asked := counted
	if a == Readiness {
		if able := without(counted, func(p member) bool { return p.draining }); len(able) > 0 {
			asked = able
		}
	}
	var all causes
	var by [len(all)][]member
	o.factsAt = Never
	for _, p := range asked {
		c := n.causeOf(p, a, now)
		all[c] = true
		by[c] = append(by[c], p)
		if c == None {
			o.percent += 100 * n.shareOf(p, now) / float64(len(asked))
		}
		o.factsAt = min(o.factsAt, factsOf(p, a))
	}
	well, needed := len(by[None]), len(asked)
	if n.policy.Quorum != All && n.policy.Quorum != NoneNeeded {
		needed = n.policy.Quorum.AtLeast
	}
	tooFew := well == len(asked) && well < needed
	o.status, o.cause = NotServing, all.first()
	switch {
	case well >= needed, tooFew && a == Liveness: // whoever is not there yet is not dead
		o.status, o.cause = Serving, None
	case tooFew:
		o.cause = Starting
	}
	unsure := m.incomplete && o.status == Serving && n.policy.Quorum.AtLeast != 1
	if unsure {
		o.status, o.cause = NotServing, Unreported
	}
	o.culprits = by[o.cause]
	if o.cause == None || tooFew || unsure {
		o.culprits = nil
	}
	o.onPurpose = o.status != Serving && !unsure && n.wantedOut(counted, asked, well, needed)
	return o
}

// wantedOut reports whether the processes themselves want the service out:
// those that are there, or so many that the others, all well, are too few, or
// that with them there would be enough.
func (n *naive) wantedOut(counted, asked []member, well, needed int) bool {
	leaving := func(p member) bool { return p.draining || p.gone == SaidGoodbye }
	leavers := len(counted) - len(without(counted, leaving))
	there := without(counted, func(p member) bool { return (p.gone == Vacant || p.gone == Awaited) && !p.draining })
	allLeave := leavers > 0 && len(without(there, leaving)) == 0
	tooFew := well == len(asked) && well < needed
	enough := n.policy.Quorum.AtLeast > 0 && well+leavers >= needed
	return allLeave || tooFew || enough
}

// counted are the processes that the verdict is made of.
func (n *naive) counted(m moment, now Instant) []member {
	counted := without(m.members, func(p member) bool {
		forgotten := p.gone == Vacant && now.Sub(p.since) > n.policy.ForgetAfter
		return forgotten || n.newcomer(p, now)
	})
	if len(counted) == 0 {
		return m.members
	}
	return counted
}

// newcomer reports whether a process that filled no vacancy is still starting,
// drained or not, or was lost or is awaited and had not started before.
func (n *naive) newcomer(p member, now Instant) bool {
	p.draining = false
	c := n.causeOf(p, Readiness, now)
	return p.beside && !p.started && (c == Starting || c == Lost || c == Unreported)
}

// causeOf is the first cause that holds for a process.
func (n *naive) causeOf(p member, a Aspect, now Instant) Cause {
	var holds causes
	holds[None] = true
	holds[Stopped] = p.gone == SaidGoodbye
	holds[Lost] = p.gone == Vacant
	holds[Unreported] = p.gone == Awaited
	switch a {
	case Startup:
		holds[Starting] = !p.started
	case Readiness:
		holds[Draining] = p.draining
		holds[Starting] = !slices.ContainsFunc(p.facts, func(l Landmark) bool { return bearsOn(l, Readiness) })
	}
	if a != Startup {
		holds[Stale] = now.Sub(p.heard) > n.policy.StaleAfter
		for _, l := range p.facts {
			if bearsOn(l, a) {
				holds[causeOfLandmark(l, a, now)] = true
			}
		}
	}
	return holds.first()
}

// failing counts the landmarks that fail in any process, each name once.
func (n *naive) failing(members []member, now Instant) int {
	names := map[string]bool{}
	for _, p := range members {
		silent := p.gone != Connected || now.Sub(p.heard) > n.policy.StaleAfter
		for _, l := range p.facts {
			if silent || isFailing(l, now) {
				names[l.Name] = true
			}
		}
	}
	return len(names)
}

// factsOf is of when the process's facts are: its last report's, or the oldest
// answer's of a loop that bears on the aspect, where that is older.
func factsOf(p member, a Aspect) Instant {
	at := p.heard
	for _, l := range p.facts {
		if l.Kind == KindLoop && bearsOn(l, a) {
			at = min(at, l.At)
		}
	}
	return at
}

// causes are those that hold.
type causes [len(causeNames)]bool

// first is the first of them by precedence.
func (holds causes) first() Cause {
	return order[slices.IndexFunc(order, func(c Cause) bool { return holds[c] })]
}

func without(members []member, drop func(member) bool) []member {
	return slices.DeleteFunc(slices.Clone(members), drop)
}
