package judge

import "slices"

// AssignSlot returns the slot that a process takes with its first report: its
// index in slots, or len(slots) for a new one.
//
//   - It takes the slot of its own name, if that is not connected. An awaited
//     process's slot is for that process alone.
//   - If a process of its name is still connected, it takes that one's slot once
//     it has started. Until then it is a newcomer beside it, so that the reports
//     of the older one still count.
//   - Otherwise it takes the oldest vacancy.
func AssignSlot(p Policy, slots []*Instance, name string, started bool, now Instant) int {
	holder, newcomer, vacant := -1, -1, -1
	for i, in := range slots {
		switch {
		case in.Name == name && in.Presence != Connected:
			return i
		case in.Name == name && in.Newcomer && in.evaluate(p, Readiness, now).excludesNewcomer():
			if newcomer < 0 {
				newcomer = i
			}
		case in.Name == name && holder < 0:
			holder = i
		case in.Name != name && in.slotIsFree() && (vacant < 0 || in.Since < slots[vacant].Since):
			vacant = i
		}
	}
	switch {
	case holder >= 0 && started:
		return holder
	case newcomer >= 0:
		return newcomer
	case holder < 0 && vacant >= 0:
		return vacant
	}
	return len(slots)
}

// Namesake returns the index of another process with the name of slots[i], which
// gives its slot to slots[i] once that has started; -1 if there is none.
func Namesake(slots []*Instance, i int) int {
	for j, in := range slots {
		if j != i && in.Name == slots[i].Name {
			return j
		}
	}
	return -1
}

// Successor returns the index of the process that fills the vacancy slots[i],
// -1 if none does. It is the first of:
//
//   - the newcomer of the same name
//   - its relief: the first process that joined while the lost one was failing, if
//     the lost one was not healthy since
//   - the first newcomer that does not wait for the slot of its own name
func Successor(slots []*Instance, i int) int {
	lost := slots[i]
	if lost.Presence != Vacant || lost.Newcomer {
		return -1
	}
	if j := Namesake(slots, i); j >= 0 && slots[j].Presence == Connected {
		return j
	}
	if j := slices.IndexFunc(slots, func(in *Instance) bool { return in.relieves(lost) }); j >= 0 {
		return j
	}
	for j, in := range slots {
		if in.Presence == Connected && in.Newcomer && Namesake(slots, j) < 0 {
			return j
		}
	}
	return -1
}

// TakeSlotOf returns the instance in the slot of the lost process.
func (in *Instance) TakeSlotOf(lost *Instance) *Instance {
	successor := *in
	successor.Newcomer, successor.Seq = false, lost.Seq
	return &successor
}

// relieves reports whether the process has started, and its slot was added
// while the lost one was failing and has filled no vacancy since.
func (in *Instance) relieves(lost *Instance) bool {
	return in.Presence == Connected && !in.Newcomer && lost.ReliefSeq > 0 && in.Seq >= lost.ReliefSeq
}

// AddSlot returns the slots as they are after a process joins in a new slot at
// now, without that slot, and the Seq of the new slot. A failing instance
// remembers the first process that joined.
func AddSlot(p Policy, slots []*Instance, now Instant) (after []*Instance, seq uint64) {
	for _, in := range slots {
		seq = max(seq, in.Seq, in.ReliefSeq)
	}
	if len(slots) > 0 {
		seq++
	}
	for _, in := range slots {
		if in.ReliefSeq == 0 && in.failing(p, now) {
			in = new(*in)
			in.ReliefSeq = seq
		}
		after = append(after, in)
	}
	return after, seq
}

// ContinueFrom completes the instance, which holds a new report, from before,
// the instance that was in its slot.
func (in *Instance) ContinueFrom(before *Instance, p Policy) {
	in.Since, in.Seq = before.Since, before.Seq
	in.Started = before.Started || in.HasStarted()
	in.Newcomer = before.Newcomer && !in.Started
	in.ReliefSeq = before.ReliefSeq
	if in.ReliefSeq > 0 && !in.failing(p, in.ReportedAt) {
		in.ReliefSeq = 0
	}
	for i := range min(len(in.Landmarks), len(before.Landmarks)) {
		continueFrom(&in.Landmarks[i], &before.Landmarks[i])
	}
}

// slotIsFree reports whether any process may take the slot.
func (in *Instance) slotIsFree() bool { return in.Presence == Vacant || in.Presence == SaidGoodbye }

// failing reports whether the process fails, draining or not. A starting one
// does not fail; an awaited one does.
func (in *Instance) failing(p Policy, now Instant) bool {
	switch in.evaluate(p, Readiness, now).cause {
	case Stale, Stalled, Failed, Unreported:
		return true
	default:
		return false
	}
}
