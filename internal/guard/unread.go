package guard

import "time"

// unread counts the data that a connection has sent and that belongs to no
// message that gRPC has delivered.
type unread struct {
	data  int         // bytes
	cost  int         // bytes of memory that gRPC uses for them
	taken int         // part of cost that was taken from the budget
	timer *time.Timer // closes the connection unless taken becomes 0 in time
}

// costOf returns how many bytes gRPC allocates for a data frame of the given
// length: a buffer of one of its pool's sizes, and the structures that refer to it.
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

// add counts a data frame of the given length.
func (u *unread) add(length int, c *conn) error {
	u.data += length
	u.cost += costOf(length)
	beyond := max(0, u.cost-connBytes)
	if beyond <= u.taken {
		return nil
	}
	// No honest connection has more unread than one message of the largest size and
	// one window.
	if beyond > 2*(c.limits.Message+window) || !c.limits.Budget.takeBytes(beyond-u.taken) {
		return errUnread
	}
	if u.taken == 0 {
		u.timer = time.AfterFunc(requestTimeout, func() { c.Close() })
	}
	u.taken = beyond
	return nil
}

// release subtracts a message of the given length, and its part of the cost.
func (u *unread) release(length int, b *Budget) {
	if length >= u.data {
		u.reset(b)
		return
	}
	u.subtract(length, int(int64(u.cost)*int64(length)/int64(u.data)), b)
}

// subtract subtracts so many bytes and their cost.
func (u *unread) subtract(data, cost int, b *Budget) {
	u.data -= data
	u.cost -= cost
	if taken := max(0, u.cost-connBytes); taken < u.taken {
		b.takeBytes(taken - u.taken)
		u.taken = taken
		u.updateTimer()
	}
}

// reset sets all counts to zero.
func (u *unread) reset(b *Budget) {
	if u.taken > 0 {
		b.takeBytes(-u.taken)
	}
	u.data, u.cost, u.taken = 0, 0, 0
	u.updateTimer()
}

// updateTimer stops the timer if nothing is taken, and else restarts it: the rest
// of the data belongs to a message that has just begun.
func (u *unread) updateTimer() {
	switch {
	case u.timer == nil:
	case u.taken == 0:
		u.timer.Stop()
	default:
		u.timer.Reset(requestTimeout)
	}
}
