package registry

import "time"

// grace is the time after the sidecar's start in which agents come back to it.
// It counts the time that the sidecar has run: to one that was stopped
// meanwhile nobody could come back.
type grace struct {
	clock *Clock
	lasts time.Duration
	from  time.Duration // by clock.ran
	over  chan struct{} // closed once it is over and settled; nil before begin
}

// begin begins it anew, and has settle called once when it is over. While it
// lasts somebody is to be heard, or else the clock would rest and know of no
// pause.
func (g *grace) begin(settle func()) {
	g.from = g.clock.ran()
	g.over = make(chan struct{})
	if g.lasts <= 0 {
		settle()
		close(g.over)
		return
	}
	g.clock.Join()
	time.AfterFunc(g.lasts, func() { g.end(settle) })
}

// end settles and lets the clock rest once nothing is left.
func (g *grace) end(settle func()) {
	if left := g.left(); left > 0 {
		time.AfterFunc(left, func() { g.end(settle) })
		return
	}
	settle()
	close(g.over)
	g.clock.Leave()
}

// left returns how much of it is left.
func (g *grace) left() time.Duration { return g.lasts - (g.clock.ran() - g.from) }

// holding reports whether it is not over, or over and not settled yet.
func (g *grace) holding() bool {
	if g.over == nil {
		return g.left() > 0
	}
	select {
	case <-g.over:
		return false
	default:
		return true
	}
}

// ended returns what receives once it may be over.
func (g *grace) ended() <-chan struct{} {
	if g.over != nil {
		return g.over
	}
	ended := make(chan struct{})
	time.AfterFunc(g.left(), func() { close(ended) })
	return ended
}
