package judge

// readDeadline judges a Deadline: it fails when the oldest piece of work that
// is open takes longer than it may. With no work there is nothing to be late.
func (l *Landmark) readDeadline(now Instant) reading {
	if l.Open {
		return l.limited(now, l.Within)
	}
	return fine()
}
