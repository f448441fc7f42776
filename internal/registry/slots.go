package registry

import (
	"fmt"
	"slices"

	"github.com/landmark-health/landmark/internal/judge"
)

// MaxInstances is the number of instances that a service may have.
const MaxInstances = 1024

// slot holds one instance of the service. It outlives the session of a lost
// instance, as a vacancy.
type slot struct {
	session     *Session // nil once it has ended
	instance    *judge.Instance
	declaration []judge.Declared // by the program, of the instance's landmarks

	// Of an instance that is awaited after a restart of the sidecar: what it
	// becomes if it does not come back, nil if none is awaited, and whether it was
	// present when the sidecar stopped.
	vacancy    *judge.Instance
	wasPresent bool
}

// applyPolicy has the slot's facts judged by another policy.
func (sl *slot) applyPolicy(policy *Policy) {
	in := *sl.instance
	in.Landmarks = slices.Clone(in.Landmarks)
	for i, d := range policy.applyAll(sl.declaration) {
		in.Landmarks[i].Declared = d
	}
	sl.instance = &in
}

// All methods below are called with mu held.

// instances returns the instances in the slots.
func (s *service) instances() []*judge.Instance {
	instances := make([]*judge.Instance, len(s.slots))
	for i, sl := range s.slots {
		instances[i] = sl.instance
	}
	return instances
}

// noInstances reports whether no instance is present, or may come back to a
// sidecar that has restarted.
func (s *service) noInstances() bool {
	return !slices.ContainsFunc(s.slots, func(sl *slot) bool { return sl.session != nil || sl.wasPresent })
}

// slotFor returns the session's slot: its own, or the one that judge.AssignSlot
// assigns to it. Of several sessions of one instance name, the newest wins once
// its process has started, and the older ones end. A session that is not the
// newest ends itself.
func (s *service) slotFor(from *Session, started bool, real judge.Instant) (*slot, error) {
	if from.ended != nil {
		return nil, from.ended
	}
	i := s.slotOf(from)
	switch {
	case i >= 0 && started && s.slots[i].instance.Newcomer:
		s.removeEnded(from, real)
		if i = s.slotOf(from); s.slots[i].instance.Newcomer {
			return s.promoteNewcomer(i), nil
		}
		return s.slots[i], nil // it has taken that of one that has ended
	case i >= 0:
		return s.slots[i], nil
	case s.retired || s.owner.Load() != from.id.UID:
		return nil, errGone
	}
	s.dropUncounted(real)
	s.dropStopped(from.id.Instance)
	for _, sl := range s.slots {
		if sl.instance.Name == from.id.Instance && sl.session != nil && sl.session.number > from.number {
			return nil, s.errReplaced()
		}
	}
	i = judge.AssignSlot(s.policy.Policy, s.instances(), from.id.Instance, started, s.judgedNow())
	if i == len(s.slots) && s.removeEnded(from, real) {
		i = judge.AssignSlot(s.policy.Policy, s.instances(), from.id.Instance, started, s.judgedNow())
	}
	if i == len(s.slots) {
		return s.addSlot(from, real)
	}
	sl := s.takeSlot(i, from, real)
	if started {
		s.endOthers(sl)
	}
	return sl, nil
}

// slotOf returns the index of the session's slot, -1 if it has none.
func (s *service) slotOf(from *Session) int {
	return slices.IndexFunc(s.slots, func(sl *slot) bool { return sl.session == from })
}

// removeEnded removes the other sessions whose processes have ended, and reports whether
// there were any. It is called before from is counted beside them: its process may have
// been started in place of one of them, and be quicker than the end of that one's session,
// which would then be missed.
func (s *service) removeEnded(from *Session, real judge.Instant) bool {
	var ended []*Session
	for _, sl := range s.slots {
		if sl.session != nil && sl.session != from && sl.session.link.HasEnded() {
			ended = append(ended, sl.session)
		}
	}
	for _, gone := range ended {
		gone.superseded = true
		s.remove(gone, judge.Vacant, real)
	}
	return len(ended) > 0
}

// addSlot adds a slot for the session. Beside other instances it is a newcomer, and
// those that are failing remember it.
func (s *service) addSlot(from *Session, real judge.Instant) (*slot, error) {
	if len(s.slots) >= MaxInstances {
		return nil, fmt.Errorf("%w: %s has %d processes, as many as a service may have", ErrLimit, s.name, MaxInstances)
	}
	others, seq := judge.AddSlot(s.policy.Policy, s.instances(), s.judgedNow())
	for i, in := range others {
		s.slots[i].instance = in
	}
	sl := &slot{session: from, instance: &judge.Instance{Name: from.id.Instance, Since: real, Newcomer: len(others) > 0, Seq: seq}}
	s.slots = append(s.slots, sl)
	return sl, nil
}

// takeSlot gives slot i to the session. In a newcomer's slot it is a newcomer. An
// instance that comes back to a restarted sidecar has been failing since the
// instance that was awaited has.
func (s *service) takeSlot(i int, from *Session, real judge.Instant) *slot {
	old := s.slots[i]
	s.endSession(old, s.errReplaced())
	s.slots[i] = &slot{session: from, instance: &judge.Instance{
		Name:     from.id.Instance,
		Since:    real,
		Newcomer: old.instance.Newcomer,
		Seq:      old.instance.Seq,
	}}
	if old.instance.Presence == judge.Awaited {
		s.slots[i].instance.ReliefSeq = old.instance.ReliefSeq
	}
	return s.slots[i]
}

// promoteNewcomer gives the newcomer in slot i, which has started, the slot of the
// older instance of its name, if there is one.
func (s *service) promoteNewcomer(i int) *slot {
	sl := s.slots[i]
	if j := judge.Namesake(s.instances(), i); j >= 0 {
		sl.instance = sl.instance.TakeSlotOf(s.slots[j].instance)
		s.endOthers(sl)
	}
	return sl
}

// endOthers ends the other sessions of the slot's instance name and removes their
// slots.
func (s *service) endOthers(keep *slot) {
	s.slots = slices.DeleteFunc(s.slots, func(sl *slot) bool {
		if sl == keep || sl.instance.Name != keep.session.id.Instance {
			return false
		}
		s.endSession(sl, s.errReplaced())
		return true
	})
}

// endSession ends the slot's session, if it has one, for the reason err.
func (s *service) endSession(sl *slot, err error) {
	if sl.session != nil {
		s.recordEnd(sl, EndReplaced)
		s.poll = s.poll.Remove(sl.session)
		sl.session.endWith(err)
	}
}

// errReplaced is the error of a session that is not its instance's newest.
func (s *service) errReplaced() error {
	return fmt.Errorf("%w: give each process of %s an instance name of its own", ErrReplaced, s.name)
}

// handOver gives the vacancy in slot i to its successor, if it has one.
func (s *service) handOver(i int) {
	next := judge.Successor(s.instances(), i)
	if next < 0 {
		return
	}
	s.slots[next].instance = s.slots[next].instance.TakeSlotOf(s.slots[i].instance)
	s.slots = slices.Delete(s.slots, i, i+1)
}

// dropUncounted removes vacancies that do not count any more, or never did.
func (s *service) dropUncounted(real judge.Instant) {
	snap := s.current.Load()
	counted := snap.facts.Counted(snap.policy.Policy, real)
	s.slots = slices.DeleteFunc(s.slots, func(sl *slot) bool {
		return sl.session == nil && !slices.Contains(counted, sl.instance)
	})
}

// dropStopped removes the slots of instances that had stopped before the sidecar
// restarted: the joining one replaces them. Its own slot stays.
func (s *service) dropStopped(joining string) {
	s.slots = slices.DeleteFunc(s.slots, func(sl *slot) bool {
		return sl.vacancy != nil && sl.vacancy.Presence == judge.SaidGoodbye && sl.instance.Name != joining
	})
}

// leave removes the session from its slot, which stays as a vacancy if its process
// was lost. The last process that says goodbye leaves the service stopped.
func (s *service) leave(from *Session, how judge.Presence) {
	s.update(func() bool {
		_, real := s.clock.Read()
		return s.remove(from, how, real)
	})
}

// remove is leave within an update. It reports whether the session had a slot.
func (s *service) remove(from *Session, how judge.Presence, real judge.Instant) bool {
	s.poll = s.poll.Remove(from)
	s.dropUncounted(real)
	i := s.slotOf(from)
	if i < 0 {
		return false
	}
	old := s.slots[i]
	if how == judge.SaidGoodbye {
		s.recordEnd(old, EndGoodbye)
	} else {
		s.recordEnd(old, EndLost)
	}
	if len(s.slots) > 1 && (how == judge.SaidGoodbye || old.instance.Draining) {
		s.slots = slices.Delete(s.slots, i, i+1) // it left on purpose, and others remain
	} else {
		gone := *old.instance
		gone.Presence, gone.Since = how, real
		s.slots[i] = &slot{instance: &gone, declaration: old.declaration}
		s.handOver(i)
	}
	s.endDrainUntilGone()
	return true
}

// evict ends all sessions for the reason err and removes all slots.
func (s *service) evict(err error) {
	s.update(func() bool {
		for _, sl := range s.slots {
			s.endSession(sl, err)
		}
		s.slots = nil
		s.evidence.forget(s) // the new owner must not see it
		if s.drain.untilGone || !privileged(s.drain.by) {
			s.drain = drain{} // an order of the user who has lost the service
		}
		return true
	})
}
