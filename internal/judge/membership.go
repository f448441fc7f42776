package judge

import "slices"

// AssignSlot returns the place that a process takes when it first reports: its index
// in there, or len(there) for a new one. It takes the vacancy of its name. An
// awaited process's place is for that process alone. If a
// process of its name is still there, it takes that one's place once it has
// started; until then it is a newcomer beside it, so that what the older one
// reports goes on counting. Otherwise it takes the oldest vacancy.
func AssignSlot(p Policy, there []*Instance, name string, started bool, now Instant) int {
	holder, newcomer, vacant := -1, -1, -1
	for i, in := range there {
		switch {
		case in.Name == name && in.Presence != Connected:
			return i
		case in.Name == name && in.Newcomer && in.judge(p, Readiness, now).waits():
			if newcomer < 0 {
				newcomer = i
			}
		case in.Name == name && holder < 0:
			holder = i
		case in.Name != name && in.hasLeft() && (vacant < 0 || in.Since < there[vacant].Since):
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
	return len(there)
}

// Namesake returns the index of another process of the name of there[i], which
// gives its place to there[i] once that has started; -1 if there is none.
func Namesake(there []*Instance, i int) int {
	for j, in := range there {
		if j != i && in.Name == there[i].Name {
			return j
		}
	}
	return -1
}

// Successor returns the index of the process that fills the vacancy there[i], -1 if
// none does: the newcomer of the same name; else the first process that joined
// beside the lost one while that was failing, if the lost one was not healthy
// since; else the first newcomer, unless it waits for the place of its own name.
func Successor(there []*Instance, i int) int {
	gone := there[i]
	if gone.Presence != Vacant || gone.Newcomer {
		return -1
	}
	if j := Namesake(there, i); j >= 0 && there[j].Presence == Connected {
		return j
	}
	standIn := slices.IndexFunc(there, func(in *Instance) bool { return in.standsInFor(gone) })
	if standIn >= 0 {
		return standIn
	}
	for j, in := range there {
		if in.Presence == Connected && in.Newcomer && Namesake(there, j) < 0 {
			return j
		}
	}
	return -1
}

// TakeSlotOf returns the instance in the place that the lost process left.
func (in *Instance) TakeSlotOf(gone *Instance) *Instance {
	heir := *in
	heir.Newcomer, heir.Seq = false, gone.Seq
	return &heir
}

// standsInFor reports whether the process is no newcomer any more, and its place
// was added while the lost one was failing and has filled no vacancy.
func (in *Instance) standsInFor(gone *Instance) bool {
	return in.Presence == Connected && !in.Newcomer && gone.ReliefSeq > 0 && in.Seq >= gone.ReliefSeq
}

// AddSlot returns the places there as a process leaves them that joins at now with
// a new place: a failing one remembers the first that joined beside it. It
// also returns the Seq of the new place.
func AddSlot(p Policy, there []*Instance, now Instant) (with []*Instance, spare uint64) {
	for _, in := range there {
		spare = max(spare, in.Seq, in.ReliefSeq)
	}
	if len(there) > 0 {
		spare++
	}
	for _, in := range there {
		if in.ReliefSeq == 0 && in.failing(p, now) {
			in = new(*in)
			in.ReliefSeq = spare
		}
		with = append(with, in)
	}
	return with, spare
}

// ContinueFrom makes of the instance, which holds a report, the successor of the one
// that was in its place before.
func (in *Instance) ContinueFrom(before *Instance, p Policy) {
	in.Since, in.Seq = before.Since, before.Seq
	in.Started = before.Started || in.HasStarted()
	in.Newcomer = before.Newcomer && !in.Started
	in.ReliefSeq = before.ReliefSeq
	if in.ReliefSeq > 0 && !in.failing(p, in.ReportedAt) {
		in.ReliefSeq = 0
	}
	for i := range min(len(in.Landmarks), len(before.Landmarks)) {
		in.Landmarks[i].follow(&before.Landmarks[i])
	}
}

// hasLeft reports whether the place is free for any process.
func (in *Instance) hasLeft() bool { return in.Presence == Vacant || in.Presence == SaidGoodbye }

// failing reports whether a process that is there fails, whether or not it
// drains. One that is starting does not fail; one that is awaited does.
func (in *Instance) failing(p Policy, now Instant) bool {
	switch in.judge(p, Readiness, now).cause {
	case Stale, Stalled, Failed, Unreported:
		return true
	default:
		return false
	}
}
