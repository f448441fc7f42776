package judge

import (
	"slices"
	"time"
)

// naive is a second judge, to compare the first one with. It is written from the
// documented rules and shares only the types with the first. It keeps a log of
// everything that happened, remembers no verdict, and finds damping by going
// back through the log.
type naive struct {
	policy  Policy
	members []member // as of the next moment
	log     []moment
	began   int       // the first moment since the sidecar's start
	past    []stretch // of readiness up to the last moment, from the log
}

// moment holds the facts about a service from an instant on, until the next
// moment.
type moment struct {
	at      Instant
	drained bool // by an operator
	// incomplete means that the sidecar has just started and does not know which
	// other processes may come back.
	incomplete     bool
	members        []member
	host           []Landmark
	hostReadAt     Instant
	hostWasHealthy bool // now or before; set by happen
}

// member is a process and its slot.
type member struct {
	id             int   // unique among all processes
	formerIDs      []int // its ids before the sidecar restarted
	name           string
	presence       Presence
	presenceBefore Presence // if it is awaited: its presence before the restart
	since          Instant  // since when it is gone
	reportedAt     Instant
	draining       bool
	newcomer       bool // joined beside others, and filled no vacancy
	addedAt        int  // the moment before which its slot was added beside others; 0 if it was not, or has filled a vacancy
	started        bool // set by happen
	facts          []Landmark
}

// stretch is a time during which readiness, before damping, did not change.
type stretch struct {
	healthy          bool
	from, last       Instant // inclusive
	intentionalSince Instant // since when the service is out on purpose, Never if it is not
}

// expected is the expected verdict for an aspect.
type expected struct {
	status    Status
	cause     Cause
	percent   float64    // of capacity, exactly
	rising    bool       // because of slow_start
	failing   int        // landmarks
	factsAt   Instant    // of the oldest facts that count
	instances []member   // that have the cause
	host      []Landmark // the host's landmarks that have the cause, if no instance has
}

// causeOrder is the precedence of causes.
var causeOrder = []Cause{Unreported, Stopped, Lost, Stale, Stalled, Failed, Draining, Starting, Recovering, None}

// happen adds a moment to the log.
func (n *naive) happen(m moment) {
	for i := range m.members {
		m.members[i].started = allReached(m.members[i]) || n.hadStarted(m.members[i].id)
	}
	m.hostWasHealthy = n.hostIsHealthy(m, m.at)
	if len(n.log) > n.began {
		m.hostWasHealthy = m.hostWasHealthy || n.current().hostWasHealthy
		n.past = n.stretches(m.at)
	}
	n.log = append(n.log, m)
}

// hadStarted reports whether all of a process's landmarks were reached in any of
// its reports. Once a process has started, it stays so.
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

func (n *naive) current() moment { return n.log[len(n.log)-1] }

// at returns the expected verdict at an instant of the last moment or later.
func (n *naive) at(a Aspect, now Instant) expected {
	raw := n.undamped(n.current(), a, now)
	if a != Readiness {
		raw.percent = 0
		if raw.status == Serving {
			raw.percent = 100
		}
		return raw.expected
	}
	stretches := n.stretches(now)
	serving, up := n.servingAfterDamping(stretches, now)
	switch {
	case serving:
		if risen := now.Sub(up); risen < n.policy.SlowStart {
			raw.percent *= float64(risen) / float64(n.policy.SlowStart)
			raw.rising = true
		}
		raw.status, raw.cause, raw.instances, raw.host = Serving, None, nil, nil
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

// servingAfterDamping reports whether readiness is serving, with damping, at an
// instant of the last stretch, and since when its weight rises: longAgo if there
// was no recovery.
func (n *naive) servingAfterDamping(s []stretch, now Instant) (bool, Instant) {
	last := s[len(s)-1]
	before := s[:len(s)-1]
	first := !slices.ContainsFunc(before, func(b stretch) bool { return b.healthy })
	switch {
	case last.healthy && first:
		return true, longAgo
	case first:
		return false, 0
	}
	wasServing, up := n.servingAfterDamping(before, before[len(before)-1].last)
	recovered := last.from.Add(n.policy.RecoverAfter)
	switch {
	case last.healthy && wasServing:
		return true, up // the fall was too short to count
	case last.healthy:
		return now >= recovered, recovered
	default:
		return wasServing && now < last.from.Add(n.policy.FallAfter) && now < last.intentionalSince, up
	}
}

// stretches returns the stretches of readiness up to now. If the facts changed at
// an instant, the stretch before includes that instant; if time alone changed the
// result, it does not.
func (n *naive) stretches(now Instant) []stretch {
	all := slices.Clone(n.past)
	m := n.current()
	for i, at := range append(append([]Instant{m.at}, n.turns(m.at, now)...), now) {
		v := n.undamped(m, Readiness, at)
		healthy := v.status == Serving
		if len(all) == 0 || all[len(all)-1].healthy != healthy {
			if len(all) > 0 && i > 0 {
				all[len(all)-1].last = at - 1
			}
			all = append(all, stretch{healthy: healthy, from: at, intentionalSince: Never})
		}
		last := &all[len(all)-1]
		last.last = at
		if v.intentional {
			last.intentionalSince = min(last.intentionalSince, at)
		}
	}
	return all
}

// turns returns the instants in (after, until] at which time alone may change the
// result of the current facts, in order.
func (n *naive) turns(after, until Instant) []Instant {
	var turns []Instant
	limit := func(from Instant, d time.Duration) {
		if at := from.Add(d) + 1; after < at && at <= until { // older than d is more than d
			turns = append(turns, at)
		}
	}
	limit(n.current().hostReadAt, n.policy.StaleAfter)
	for _, l := range n.current().host {
		limit(l.At, l.Within)
		limit(l.At, l.TTL)
	}
	for _, p := range n.current().members {
		limit(p.reportedAt, n.policy.StaleAfter)
		limit(p.since, n.policy.ForgetAfter)
		for _, l := range p.facts {
			limit(l.At, l.Within)
			limit(l.At, l.StartWithin)
			limit(l.ExtendedTo, 0)
			limit(l.At, l.TTL)
		}
	}
	slices.Sort(turns)
	return slices.Compact(turns)
}

// undampedVerdict is the expected verdict before damping.
type undampedVerdict struct {
	expected
	intentional bool
}

// undamped judges one moment at an instant, without the log.
func (n *naive) undamped(m moment, a Aspect, now Instant) undampedVerdict {
	o := n.ofHost(m, n.ofProcesses(m, a, now), a, now)
	o.failing = n.failing(n.counted(m, now), now) + n.failingOfHost(m, now)
	if m.drained && a == Readiness {
		o.intentional = true
		if slices.Index(causeOrder, o.cause) > slices.Index(causeOrder, Draining) {
			o.status, o.cause, o.instances, o.host = NotServing, Draining, nil, nil
		}
	}
	return o
}

// ofProcesses judges the processes alone.
func (n *naive) ofProcesses(m moment, a Aspect, now Instant) undampedVerdict {
	if len(m.members) == 0 {
		return undampedVerdict{expected: expected{status: NotServing, cause: Unreported, factsAt: now}}
	}
	counted := n.counted(m, now)
	var o undampedVerdict

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
			o.percent += 100 * n.capacityOf(p, now) / float64(len(asked))
		}
		o.factsAt = min(o.factsAt, factsOf(p, a))
	}
	healthy, needed := len(by[None]), len(asked)
	if n.policy.Quorum != All && n.policy.Quorum != NoneNeeded {
		needed = n.policy.Quorum.AtLeast
	}
	tooFew := healthy == len(asked) && healthy < needed
	o.status, o.cause = NotServing, all.first()
	switch {
	case healthy >= needed, tooFew && a == Liveness: // a process that is not there yet is not dead
		o.status, o.cause = Serving, None
	case tooFew:
		o.cause = Starting
	}
	unsure := m.incomplete && o.status == Serving && n.policy.Quorum.AtLeast != 1
	if unsure {
		o.status, o.cause = NotServing, Unreported
	}
	o.instances = by[o.cause]
	if o.cause == None || tooFew || unsure {
		o.instances = nil
	}
	o.intentional = o.status != Serving && !unsure && n.intentional(counted, asked, healthy, needed)
	return o
}

// intentional reports whether the processes themselves have taken the service out:
// all that are there are leaving, or the others are healthy but too few, or there
// would be enough with those that leave.
func (n *naive) intentional(counted, asked []member, healthy, needed int) bool {
	leaving := func(p member) bool { return p.draining || p.presence == SaidGoodbye }
	leavers := len(counted) - len(without(counted, leaving))
	there := without(counted, func(p member) bool { return (p.presence == Vacant || p.presence == Awaited) && !p.draining })
	allLeave := leavers > 0 && len(without(there, leaving)) == 0
	tooFew := healthy == len(asked) && healthy < needed
	enough := n.policy.Quorum.AtLeast > 0 && healthy+leavers >= needed
	return allLeave || tooFew || enough
}

// counted returns the processes that count.
func (n *naive) counted(m moment, now Instant) []member {
	counted := without(m.members, func(p member) bool {
		forgotten := p.presence == Vacant && now.Sub(p.since) > n.policy.ForgetAfter
		return forgotten || n.isNewcomer(p, now)
	})
	if len(counted) == 0 {
		return m.members
	}
	return counted
}

// isNewcomer reports whether a process that filled no vacancy is still starting,
// draining or not, or was lost or is awaited and had not started before.
func (n *naive) isNewcomer(p member, now Instant) bool {
	p.draining = false
	c := n.causeOf(p, Readiness, now)
	return p.newcomer && !p.started && (c == Starting || c == Lost || c == Unreported)
}

// causeOf returns the first cause that holds for a process.
func (n *naive) causeOf(p member, a Aspect, now Instant) Cause {
	var holds causes
	holds[None] = true
	holds[Stopped] = p.presence == SaidGoodbye
	holds[Lost] = p.presence == Vacant
	holds[Unreported] = p.presence == Awaited
	switch a {
	case Startup:
		holds[Starting] = !p.started
	case Readiness:
		holds[Draining] = p.draining
		holds[Starting] = !slices.ContainsFunc(p.facts, func(l Landmark) bool { return affectsAspect(l, Readiness) })
	}
	if a != Startup {
		holds[Stale] = now.Sub(p.reportedAt) > n.policy.StaleAfter
		for _, l := range p.facts {
			if affectsAspect(l, a) {
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
		silent := p.presence != Connected || now.Sub(p.reportedAt) > n.policy.StaleAfter
		for _, l := range p.facts {
			if silent || isFailing(l, now) {
				names[l.Name] = true
			}
		}
	}
	return len(names)
}

// factsOf returns the instant of the process's facts: its last report, or the
// oldest answer of a loop that affects the aspect, if that is older.
func factsOf(p member, a Aspect) Instant {
	at := p.reportedAt
	for _, l := range p.facts {
		if l.Kind == KindLoop && affectsAspect(l, a) {
			at = min(at, l.At)
		}
	}
	return at
}

// causes says which causes hold.
type causes [len(causeNames)]bool

// first returns the first of them by precedence.
func (holds causes) first() Cause {
	return causeOrder[slices.IndexFunc(causeOrder, func(c Cause) bool { return holds[c] })]
}

func without(members []member, drop func(member) bool) []member {
	return slices.DeleteFunc(slices.Clone(members), drop)
}
