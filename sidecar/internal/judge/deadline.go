package judge

// readDeadline judges a Deadline: it fails when the oldest piece of work that
// is open takes longer than it may. With no work there is nothing to be late.
func (l *Landmark) readDeadline(now Instant) reading {
	switch {
	case l.Open:
		return l.limited(now, l.Within)
	case !l.Reached && l.StartWithin > 0:
		return l.readUnreached(now)
	default:
		return fine()
	}
}
