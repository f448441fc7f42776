package registry

import (
	"cmp"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// Membership is what is known of a service's processes and orders, without any
// fact about them: what must survive a restart of the sidecar.
type Membership struct {
	Service string
	Owned   bool   // by a user, which a service is not that was never reported
	UID     uint32 // of the owner
	Drain   *OrderedDrain
	Members []Member // in the order of joining
}

// OrderedDrain is an operator's drain.
type OrderedDrain struct {
	By        uint32 // uid
	UntilGone bool
}

// Member is one process of a service, or the vacancy that it left.
type Member struct {
	Instance string
	State    MemberState
	Away     time.Duration // since it was lost or said goodbye
	Newcomer bool          // it joined beside others and had not started
	Leaving  bool          // it drained
	// Seq and ReliefSeq are the judge.Instance's: who stands in for whom.
	Seq, ReliefSeq uint64
}

// MemberState is whether a process is there.
type MemberState uint8

// The states. A stopped one said goodbye as the last of its service.
const (
	MemberPresent MemberState = iota
	MemberLost
	MemberStopped
)

// Memberships returns the membership of each service that has any, in the order
// of their names, and whether no process is missing there: some may be during a
// start grace that began without Restore.
func (r *Registry) Memberships() (all []Membership, complete bool) {
	r.mu.Lock()
	complete = r.restored || !r.starting
	r.mu.Unlock()
	now, _ := r.clock.Read()
	for _, name := range r.Names() {
		if s := (*r.services.Load())[name]; s != nil {
			if m := s.membership(now); m.Owned || m.Drain != nil {
				all = append(all, m)
			}
		}
	}
	return all, complete
}

// MembersChanged receives once Memberships may return something else than it did
// at the last receipt.
func (r *Registry) MembersChanged() <-chan struct{} { return r.membersChanged }

func (r *Registry) signalMembers() {
	select {
	case r.membersChanged <- struct{}{}:
	default: // it is noted already
	}
}

// Restore takes what Memberships returned before the sidecar was restarted. It
// must be called before Begin, and after the first Configure. Each member is
// awaited for the start grace, and lost from then on if it does not come back.
// If the list is not complete, there may be others to come back, too.
func (r *Registry) Restore(all []Membership, complete bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.restored = complete
	services := *r.services.Load()
	added := make(map[string]*service, len(services)+len(all))
	for name, s := range services {
		added[name] = s
	}
	for _, m := range all {
		owner := uint32(noOwner)
		if m.Owned {
			owner = m.UID
		}
		s := added[m.Service]
		if s == nil {
			s = r.createService(m.Service, owner)
			added[m.Service] = s
		}
		s.owner.Store(owner)
		s.restore(m)
	}
	r.services.Store(&added)
	r.overall.refresh()
}

// membership returns what must survive a restart of the sidecar.
func (s *service) membership(now judge.Instant) Membership {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner := s.owner.Load()
	m := Membership{Service: s.name, Owned: owner != noOwner}
	if m.Owned {
		m.UID = owner
	}
	if s.drain.active {
		m.Drain = &OrderedDrain{By: s.drain.by, UntilGone: s.drain.untilGone}
	}
	for _, p := range s.slots {
		in := p.instance
		if p.vacancy != nil {
			in = p.vacancy
		}
		member := Member{Instance: in.Name, Newcomer: in.Newcomer, Leaving: in.Draining, Seq: in.Seq}
		if presence := p.instance.Presence; presence == judge.Connected || presence == judge.Awaited {
			member.ReliefSeq = p.instance.ReliefSeq
		}
		switch {
		case p.vacancy != nil && p.wasPresent:
		case in.Presence == judge.Vacant:
			member.State = MemberLost
		case in.Presence == judge.SaidGoodbye:
			member.State = MemberStopped
		}
		if member.State != MemberPresent {
			member.Away = max(0, now.Sub(in.Since))
		}
		m.Members = append(m.Members, member)
	}
	return m
}

// restore gives each member a place in which it is awaited. A new service, that
// nothing was reported of yet, has none before.
func (s *service) restore(m Membership) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Drain != nil {
		s.drain = drain{active: true, by: m.Drain.By, untilGone: m.Drain.UntilGone}
	}
	_, now := s.clock.Read()
	for _, member := range m.Members[:min(len(m.Members), MaxInstances)] {
		gone := &judge.Instance{
			Name:       member.Instance,
			Presence:   judge.Vacant,
			Since:      now.Add(-member.Away),
			ReportedAt: now.Add(-member.Away),
			Newcomer:   member.Newcomer,
			Draining:   member.Leaving,
			Seq:        member.Seq,
		}
		if member.State == MemberStopped {
			gone.Presence = judge.SaidGoodbye
		}
		in := *gone
		in.Presence, in.ReliefSeq = judge.Awaited, member.ReliefSeq
		s.slots = append(s.slots, &slot{instance: &in, vacancy: gone, wasPresent: member.State == MemberPresent})
	}
	s.publish()
}

// start begins the start grace, of which it is known or not who is to come back.
func (s *service) beginGrace(incomplete bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.incomplete = incomplete
	s.publish()
}

// evaluate ends the start grace: what was awaited did not come back, and whoever
// came is all there is.
func (s *service) endGrace() {
	s.mu.Lock()
	if !s.incomplete && !slices.ContainsFunc(s.slots, func(p *slot) bool { return p.vacancy != nil }) {
		s.mu.Unlock()
		return
	}
	s.incomplete = false
	var missed []*slot
	for _, p := range s.slots {
		if p.vacancy != nil {
			missed = append(missed, p)
		}
	}
	slices.SortStableFunc(missed, func(p, q *slot) int { return cmp.Compare(p.vacancy.Since, q.vacancy.Since) })
	for _, p := range missed {
		s.giveUpWaiting(p)
	}
	if s.drain.untilGone && s.noInstances() {
		s.drain = drain{}
	}
	news := s.publish()
	s.mu.Unlock()
	if news {
		s.changed(s)
	}
}

// awaitsInstances reports whether processes are awaited, or may be missing that nobody
// knows of.
func (s *service) awaitsInstances() bool {
	facts := s.current.Load().facts
	return facts.Incomplete || slices.ContainsFunc(facts.Instances, func(in *judge.Instance) bool { return in.Presence == judge.Awaited })
}

// giveUpWaiting waits for the place's process no longer. One that was leaving is not
// missed where others are, as one that is lost while it drains; another's place
// goes to who joined beside it meanwhile. The caller holds mu.
func (s *service) giveUpWaiting(p *slot) {
	i := slices.Index(s.slots, p)
	gone := *p.vacancy
	if len(s.slots) > 1 && (gone.Draining || gone.Presence == judge.SaidGoodbye) {
		s.slots = slices.Delete(s.slots, i, i+1)
		return
	}
	if p.wasPresent {
		_, gone.Since = s.clock.Read()
	}
	gone.ReliefSeq = p.instance.ReliefSeq
	s.slots[i] = &slot{instance: &gone}
	s.handOver(i)
}

// dropStopped drops the places of processes that had stopped before the sidecar
// restarted: whoever joins replaces them. The caller holds mu.
func (s *service) dropStopped(joining string) {
	s.slots = slices.DeleteFunc(s.slots, func(p *slot) bool {
		return p.vacancy != nil && p.vacancy.Presence == judge.SaidGoodbye && p.instance.Name != joining
	})
}

// sameMembers reports whether the two lists hold the same processes, in the same
// places and states, and the same stand in for the same.
func sameMembers(before, after []*judge.Instance) bool {
	return slices.EqualFunc(before, after, func(a, b *judge.Instance) bool {
		return a == b || a.Name == b.Name && a.Presence == b.Presence && a.Newcomer == b.Newcomer && a.Draining == b.Draining && a.Seq == b.Seq && a.ReliefSeq == b.ReliefSeq
	})
}
