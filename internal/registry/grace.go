package registry

import (
	"time"

	"github.com/landmark-health/landmark/internal/clock"
)

// longestGrace is how many times as long as the start grace a service's
// processes are awaited while agents of its user are arriving.
const longestGrace = 3

// grace is the time after the sidecar's start in which agents come back to it.
// It counts the time that the sidecar has run: to one that was stopped
// meanwhile nobody could come back.
type grace struct {
	clock  *clock.Clock
	length time.Duration
	begun  time.Duration // by clock.ran
	// Both are nil before begin. over is closed once it is over and services are
	// settled, but for those that are extended; late is closed once these are too.
	over, late chan struct{}
}

// settler settles the services at the end of the grace. Unless it is the last
// time, it may leave some for later, and reports whether there are none.
type settler func(last bool) (all bool)

// start begins it anew. While it lasts somebody is to be heard, or else the
// clock would rest and know of no pause.
func (g *grace) start(settle settler) {
	g.begun = g.clock.Awake()
	g.over, g.late = make(chan struct{}), make(chan struct{})
	if g.length <= 0 {
		settle(true)
		close(g.over)
		close(g.late)
		return
	}
	g.clock.AddSource()
	time.AfterFunc(g.length, func() { g.end(settle) })
}

// endSession settles once nothing is left.
func (g *grace) end(settle settler) {
	if left := g.left(); left > 0 {
		time.AfterFunc(left, func() { g.end(settle) })
		return
	}
	all := settle(false)
	close(g.over)
	g.extend(all, settle)
}

// extend settles what is left for later, and lets the clock rest then.
func (g *grace) extend(all bool, settle settler) {
	if all {
		close(g.late)
		g.clock.RemoveSource()
		return
	}
	time.AfterFunc(clock.Beat, func() {
		g.extend(settle(g.clock.Awake()-g.begun >= longestGrace*g.length), settle)
	})
}

// idleSince returns how much of it is left.
func (g *grace) left() time.Duration { return g.length - (g.clock.Awake() - g.begun) }

// holding reports whether it is not over, or over and not settled yet.
func (g *grace) holding() bool {
	if g.over == nil {
		return g.left() > 0
	}
	return isOpen(g.over)
}

// extended reports whether it is over but for some services.
func (g *grace) extended() bool { return g.over != nil && !isOpen(g.over) && isOpen(g.late) }

// ended returns what receives once it may be over, or over for all services.
func (g *grace) ended() <-chan struct{} {
	switch {
	case g.over == nil:
		ended := make(chan struct{})
		time.AfterFunc(g.left(), func() { close(ended) })
		return ended
	case isOpen(g.over):
		return g.over
	default:
		return g.late
	}
}

func isOpen(c <-chan struct{}) bool {
	select {
	case <-c:
		return false
	default:
		return true
	}
}
