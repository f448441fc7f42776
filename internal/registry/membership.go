package registry

import (
	"maps"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// Membership is the instances of a service and the orders about it, without any
// fact: what must survive a restart of the sidecar.
type Membership struct {
	Service string
	Owned   bool   // by a user; a service that was never reported is not
	UID     uint32 // of the owner
	Drain   *OrderedDrain
	Members []Member // in the order of joining
}

// OrderedDrain is an operator's drain.
type OrderedDrain struct {
	By        uint32 // uid
	UntilGone bool
}

// Member is one instance of a service, or the vacancy that it left.
type Member struct {
	Instance string
	State    MemberState
	Away     time.Duration // since it was lost or said goodbye
	Newcomer bool          // it joined beside others and had not started
	Leaving  bool          // it drained
	// Seq and ReliefSeq are those of judge.Instance: which instance replaces which.
	Seq, ReliefSeq uint64
}

// MemberState says whether an instance is present.
type MemberState uint8

// The states. A stopped instance said goodbye as the last of its service.
const (
	MemberPresent MemberState = iota
	MemberLost
	MemberStopped
)

// Memberships returns the membership of each service that has one, sorted by name.
// They are complete if no instance can be missing; some can be during a start grace
// that began without Restore.
func (r *Registry) Memberships() (all []Membership, complete bool) {
	r.mu.Lock()
	complete = r.restored || !r.starting
	r.mu.Unlock()
	now := r.clock.Judged()
	for _, name := range r.Names() {
		if s := r.service(name); s != nil {
			if m := s.membership(now); m.Owned || m.Drain != nil {
				all = append(all, m)
			}
		}
	}
	return all, complete
}

// MembersChanged receives if Memberships may return something else than at the last
// receipt.
func (r *Registry) MembersChanged() <-chan struct{} { return r.membersChanged }

func (r *Registry) signalMembers() {
	select {
	case r.membersChanged <- struct{}{}:
	default: // there is a token already
	}
}

// Restore takes what Memberships returned before the sidecar was restarted. It must
// be called before BeginGrace, and after the first Configure. Each member is
// awaited for the start grace, and lost if it has not come back by then. If the
// list is not complete, other instances may come back, too.
func (r *Registry) Restore(all []Membership, complete bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.restored = complete
	services := maps.Clone(*r.services.Load())
	for _, m := range all {
		owner := uint32(NoOwner)
		if m.Owned {
			owner = m.UID
		}
		s := services[m.Service]
		if s == nil {
			s = r.createService(m.Service, owner)
			services[m.Service] = s
		}
		s.owner.Store(owner)
		s.restore(m)
	}
	r.services.Store(&services)
	r.overall.refresh()
}

// membership returns what must survive a restart of the sidecar.
func (s *service) membership(now judge.Instant) Membership {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner := s.owner.Load()
	m := Membership{Service: s.name, Owned: owner != NoOwner}
	if m.Owned {
		m.UID = owner
	}
	if s.drain.active {
		m.Drain = &OrderedDrain{By: s.drain.by, UntilGone: s.drain.untilGone}
	}
	for _, sl := range s.slots {
		m.Members = append(m.Members, sl.member(now))
	}
	return m
}

// member returns the member that the slot holds.
func (sl *slot) member(now judge.Instant) Member {
	in := sl.instance
	if sl.vacancy != nil {
		in = sl.vacancy
	}
	m := Member{Instance: in.Name, Newcomer: in.Newcomer, Leaving: in.Draining, Seq: in.Seq}
	if presence := sl.instance.Presence; presence == judge.Connected || presence == judge.Awaited {
		m.ReliefSeq = sl.instance.ReliefSeq
	}
	switch {
	case sl.vacancy != nil && sl.wasPresent:
	case in.Presence == judge.Vacant:
		m.State = MemberLost
	case in.Presence == judge.SaidGoodbye:
		m.State = MemberStopped
	}
	if m.State != MemberPresent {
		m.Away = max(0, now.Sub(in.Since))
	}
	return m
}

// restore gives each member a slot in which it is awaited.
func (s *service) restore(m Membership) {
	s.update(func() bool {
		if m.Drain != nil {
			s.drain = drain{active: true, by: m.Drain.By, untilGone: m.Drain.UntilGone}
		}
		_, real := s.clock.Read()
		for _, member := range m.Members[:min(len(m.Members), MaxInstances)] {
			s.slots = append(s.slots, member.awaitedSlot(real))
		}
		return true
	})
}

// awaitedSlot returns a slot in which the member is awaited.
func (m Member) awaitedSlot(real judge.Instant) *slot {
	vacancy := &judge.Instance{
		Name:       m.Instance,
		Presence:   judge.Vacant,
		Since:      real.Add(-m.Away),
		ReportedAt: real.Add(-m.Away),
		Newcomer:   m.Newcomer,
		Draining:   m.Leaving,
		Seq:        m.Seq,
	}
	if m.State == MemberStopped {
		vacancy.Presence = judge.SaidGoodbye
	}
	in := *vacancy
	in.Presence, in.ReliefSeq = judge.Awaited, m.ReliefSeq
	return &slot{instance: &in, vacancy: vacancy, wasPresent: m.State == MemberPresent}
}

// sameMembers reports whether the two lists hold the same instances, in the same
// slots and states, with the same replacements.
func sameMembers(before, after []*judge.Instance) bool {
	return slices.EqualFunc(before, after, func(a, b *judge.Instance) bool {
		return a == b || a.Name == b.Name && a.Presence == b.Presence && a.Newcomer == b.Newcomer &&
			a.Draining == b.Draining && a.Seq == b.Seq && a.ReliefSeq == b.ReliefSeq
	})
}
