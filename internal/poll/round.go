package poll

// Round is one get-state command on its way through the loops of several
// sessions. All checkers that need newer facts meanwhile wait for the same one.
// Its methods may be called on a nil Round, which waits for no session. The
// caller must not call two methods at once.
type Round[S comparable] struct {
	open map[S]uint64  // the command's number in each session that has not answered
	done chan struct{} // closed once every session has answered or gone
}

// NewRound returns a round that waits for no session yet.
func NewRound[S comparable]() *Round[S] {
	return &Round[S]{open: make(map[S]uint64), done: make(chan struct{})}
}

// Add adds a session that was sent the command under this number.
func (r *Round[S]) Add(s S, number uint64) { r.open[s] = number }

// Done returns a channel that is closed once every session has answered or gone.
func (r *Round[S]) Done() <-chan struct{} { return r.done }

// Answered records that the session has answered all commands up to number. It
// returns the round, or nil if that was the last answer.
func (r *Round[S]) Answered(s S, number uint64) *Round[S] {
	if r == nil || r.open[s] > number {
		return r
	}
	return r.Remove(s)
}

// Remove stops waiting for the session. It returns the round, or nil if that was
// the last answer.
func (r *Round[S]) Remove(s S) *Round[S] {
	if r == nil {
		return nil
	}
	delete(r.open, s)
	if len(r.open) > 0 {
		return r
	}
	close(r.done)
	return nil
}
