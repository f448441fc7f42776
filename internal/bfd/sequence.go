package bfd

// sequence is the sequence numbers of the authentication (section 6.7.4), which keep
// old packets from being sent again by others.
type sequence struct {
	received uint32 // the last one, if known
	known    bool
	sent     uint32 // the last one, if any
	begun    bool
}

// receive checks the number of an authentic packet. Packets of keyed SHA1 may have
// the same number.
func (q *sequence) receive(p *Packet) bool {
	n := p.Authentication.Sequence
	if q.known && n-q.received > 3*uint32(p.Multiplier) {
		return false
	}
	q.received, q.known = n, true
	return true
}

// forgetReceived makes receive accept any number.
func (q *sequence) forgetReceived() { q.known = false }

// send returns the number of the next packet: the time, with which the numbers go on
// after a restart, but at most one more than the last, so that the peer accepts it
// even if it missed some. A packet that takes back an earlier one gets a new number,
// so that the earlier one is not valid any more, unless the numbers are as far ahead
// of the time as the peer may ignore a new program for.
func (q *sequence) send(time uint32, takesBack bool, mostAhead int32) uint32 {
	ahead := int32(q.sent - time)
	switch {
	case !q.begun:
		q.begun, q.sent = true, time
	case ahead < 0, takesBack && ahead < mostAhead:
		q.sent++
	}
	return q.sent
}
