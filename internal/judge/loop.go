package judge

// readLoop judges a Loop: it fails when a command is open and the last answer
// is older than it may be. An idle loop is a healthy one. A lag of more than
// half of the time allowed shows a loop that has more work than it can do, and
// lowers the program's share linearly, to nothing at the whole time. The lag of
// an answer that ended a hang does not count: the hang is over, and how much
// work the loop has shows in the next answer.
func (l *Landmark) readLoop(now Instant) reading {
	r := fine()
	if l.Open {
		r = l.limited(now, l.Within)
	}
	half := l.Within / 2
	if r.state == OK && l.Lag > half && l.Lag <= l.Within && !l.EndedHang {
		r.state, r.share = Degraded, float64(l.Within-l.Lag)/float64(l.Within-half)
	}
	return r
}

// follow notes whether the last answer of a Loop ended a hang, before being
// what was reported of it before.
func (l *Landmark) follow(before *Landmark) {
	l.EndedHang = false
	if l.Kind != KindLoop || before.Kind != KindLoop || l.Name != before.Name {
		return
	}
	switch l.Count {
	case before.Count:
		l.EndedHang = before.EndedHang
	case before.Count + 1:
		l.EndedHang = before.read(l.At).state == Failing
	}
}
