package registry

import "time"

// grace is the time after the sidecar's start in which agents come back to it.
// It counts the time that the sidecar has run: to one that was stopped
// meanwhile nobody could come back.
type grace struct {
	clock *Clock
	lasts time.Duration
	from  time.Duration // by clock.ran
}

// begin begins it anew. While it lasts somebody is to be heard, or else the
// clock would rest and know of no pause.
func (g *grace) begin() {
	g.from = g.clock.ran()
	if g.lasts > 0 {
		g.clock.Join()
		time.AfterFunc(g.lasts, g.end)
	}
}

// end lets the clock rest once nothing is left.
func (g *grace) end() {
	if left := g.left(); left > 0 {
		time.AfterFunc(left, g.end)
		return
	}
	g.clock.Leave()
}

// left returns how much of it is left.
func (g *grace) left() time.Duration { return g.lasts - (g.clock.ran() - g.from) }
