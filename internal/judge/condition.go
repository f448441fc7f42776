package judge

// readCondition judges a Condition: it fails when it is not met, or was not
// said to be for longer than its TTL.
func (l *Landmark) readCondition(now Instant) reading {
	switch {
	case !l.Met:
		return reading{Failing, 0, Never}
	case l.TTL > 0:
		return l.limited(now, l.TTL)
	default:
		return fine()
	}
}
