package judge

// readLoop judges a Loop: it fails when a command is open and the last answer
// is older than it may be. An idle loop is a healthy one. Answers that take
// more than half of the time allowed show a loop that has more work than it
// can do, and lower the program's share linearly.
func (l *Landmark) readLoop(now Instant) reading {
	r := fine()
	if l.Open {
		r = l.limited(now, l.Within)
	}
	if half := l.Within / 2; r.state == OK && l.Lag > half {
		r.state, r.share = Degraded, max(0, float64(l.Within-l.Lag)/float64(l.Within-half))
	}
	return r
}
