package guard

import "time"

// held is the data that a connection has sent and that are part of no message
// that was taken.
type held struct {
	data  int         // bytes
	cost  int         // bytes of memory that gRPC takes for them
	taken int         // of cost, from the budget
	timer *time.Timer // closes the connection if taken does not become 0
}

// costOf returns what gRPC allocates for a frame of data: a buffer of one of the
// sizes of its pool, and what leads to it.
func costOf(length int) int {
	const overhead = 256
	switch {
	case length <= 1<<10:
		return length + overhead
	case length <= 4<<10:
		return 4<<10 + overhead
	case length <= 16<<10:
		return 16<<10 + overhead
	}
	return length + overhead
}

// add adds a frame of the given length.
func (h *held) add(length int, c *conn) error {
	h.data += length
	h.cost += costOf(length)
	beyond := max(0, h.cost-ownBytes)
	if beyond <= h.taken {
		return nil
	}
	// No honest connection needs more than one message of the greatest length
	// and a window that are not read yet.
	if beyond > 2*(c.limits.Message+window) || !c.limits.Budget.takeBytes(beyond-h.taken) {
		return errHeld
	}
	if h.taken == 0 {
		h.timer = time.AfterFunc(requestWithin, func() { c.Close() })
	}
	h.taken = beyond
	return nil
}

// release takes away a message of the given length, with its share of the cost.
func (h *held) release(length int, b *Budget) {
	if length >= h.data {
		h.end(b)
		return
	}
	h.cost -= int(int64(h.cost) * int64(length) / int64(h.data))
	h.data -= length
	if taken := max(0, h.cost-ownBytes); taken < h.taken {
		b.takeBytes(taken - h.taken)
		h.taken = taken
		h.stopTimer()
	}
}

// end takes all away.
func (h *held) end(b *Budget) {
	if h.taken > 0 {
		b.takeBytes(-h.taken)
	}
	h.data, h.cost, h.taken = 0, 0, 0
	h.stopTimer()
}

// stopTimer gives what is left of the data its time anew, as part of a message
// that has only begun.
func (h *held) stopTimer() {
	switch {
	case h.timer == nil:
	case h.taken == 0:
		h.timer.Stop()
	default:
		h.timer.Reset(requestWithin)
	}
}
