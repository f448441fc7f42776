package registry

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// maxGraceFactor is how many times as long as the start grace the instances of a
// service are awaited while agents of its user have connected and not reported yet:
// on a machine without CPU time that may take longer than the grace.
const maxGraceFactor = 3

// BeginGrace begins the start grace: from now on agents can come back. It must not
// be called while checkers wait. Without Restore of a complete list before it, it
// is not known which instances to wait for. A service that may have several is then
// not serving before the grace is over, unless one of them is enough.
func (r *Registry) BeginGrace() {
	r.mu.Lock()
	r.starting = true
	for _, s := range *r.services.Load() {
		s.beginGrace(!r.restored)
	}
	r.mu.Unlock()
	r.grace.start(r.endGrace)
}

// Starting reports whether the start grace goes on, for all services or for some.
func (r *Registry) Starting() bool { return r.grace.holding() || r.grace.extended() }

// ExpectReport says that an agent of the user has connected, and that its report is
// expected. The caller calls stopExpecting once it has reported, or is gone.
func (r *Registry) ExpectReport(uid uint32) (stopExpecting func()) {
	r.expected.Add(uid, 1)
	return sync.OnceFunc(func() { r.expected.Add(uid, -1) })
}

// expects reports whether a report of the service's user is expected. Of a service
// without an owner that is a report of any user.
func (r *Registry) expects(owner uint32) bool {
	if owner == NoOwner {
		return r.expected.Total() > 0
	}
	return r.expected.Of(owner) > 0
}

// endGrace ends the start grace of all services. Unless last is set, it skips
// services whose instances may still report. It reports whether the grace is over
// for all. Without a complete list of instances it is not over while any agent has
// connected and not reported, because the agent's service may be unknown.
func (r *Registry) endGrace(last bool) (all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all = last || r.restored || !r.expects(NoOwner)
	for _, s := range *r.services.Load() {
		if !last && s.awaitsInstances() && r.expects(s.owner.Load()) {
			all = false
			continue
		}
		s.endGrace()
	}
	if all && r.starting {
		r.starting = false
		r.signalMembers() // no others exist from now on
	}
	return all
}

// beginGrace begins the start grace of the service. incomplete says that there may
// be instances that the sidecar does not know.
func (s *service) beginGrace(incomplete bool) {
	s.update(func() bool { s.incomplete = incomplete; return true })
}

// endGrace ends the start grace of the service: instances that are still awaited
// are given up.
func (s *service) endGrace() {
	s.update(func() bool {
		var awaited []*slot
		for _, sl := range s.slots {
			if sl.vacancy != nil {
				awaited = append(awaited, sl)
			}
		}
		if !s.incomplete && len(awaited) == 0 {
			return false
		}
		s.incomplete = false
		slices.SortStableFunc(awaited, func(a, b *slot) int { return cmp.Compare(a.vacancy.Since, b.vacancy.Since) })
		for _, sl := range awaited {
			s.giveUp(sl)
		}
		s.endDrainUntilGone()
		return true
	})
}

// giveUp stops waiting for the slot's instance. If it was leaving, and others are
// left, its slot is removed, as that of an instance that is lost while it drains.
// Else it leaves a vacancy, which goes to its successor, if it has one. The caller
// holds mu.
func (s *service) giveUp(sl *slot) {
	i := slices.Index(s.slots, sl)
	gone := *sl.vacancy
	if len(s.slots) > 1 && (gone.Draining || gone.Presence == judge.SaidGoodbye) {
		s.slots = slices.Delete(s.slots, i, i+1)
		return
	}
	if sl.wasPresent {
		_, gone.Since = s.clock.Read()
	}
	gone.ReliefSeq = sl.instance.ReliefSeq
	s.slots[i] = &slot{instance: &gone}
	s.handOver(i)
}

// awaitsInstances reports whether instances are awaited, or may be missing that the
// sidecar does not know.
func (s *service) awaitsInstances() bool {
	facts := s.current.Load().facts
	return facts.Incomplete || slices.ContainsFunc(facts.Instances, func(in *judge.Instance) bool { return in.Presence == judge.Awaited })
}

// grace is the time after the sidecar's start in which agents come back to it. It
// is measured in the time that the sidecar has run, because agents cannot come
// back to one that is stopped.
type grace struct {
	clock  *clock.Clock
	length time.Duration
	began  time.Duration // by clock.Awake
	// Both are nil before start. over is closed when the grace has ended, except for
	// services whose reports are expected, and late when it has ended for these too.
	over, late chan struct{}
}

// start starts the grace. It calls end at the end of the grace, and again and again
// until end returns true; after maxGraceFactor times the grace with last set. Until
// then the grace is a source of the clock, because a clock that rests notices no
// pause.
func (g *grace) start(end func(last bool) (all bool)) {
	g.began = g.clock.Awake()
	g.over, g.late = make(chan struct{}), make(chan struct{})
	if g.length <= 0 {
		end(true)
		close(g.over)
		close(g.late)
		return
	}
	g.clock.AddSource()
	time.AfterFunc(g.length, func() { g.finish(end) })
}

// finish ends the grace once no time of it is left.
func (g *grace) finish(end func(last bool) (all bool)) {
	if left := g.left(); left > 0 {
		time.AfterFunc(left, func() { g.finish(end) })
		return
	}
	all := end(false)
	close(g.over)
	g.extend(all, end)
}

// extend calls end until it has ended the grace for all services.
func (g *grace) extend(all bool, end func(last bool) (all bool)) {
	if all {
		close(g.late)
		g.clock.RemoveSource()
		return
	}
	time.AfterFunc(clock.Beat, func() {
		g.extend(end(g.clock.Awake()-g.began >= maxGraceFactor*g.length), end)
	})
}

// left returns how much time of the grace is left.
func (g *grace) left() time.Duration { return g.length - (g.clock.Awake() - g.began) }

// holding reports whether the grace goes on.
func (g *grace) holding() bool {
	if g.over == nil {
		return g.left() > 0
	}
	return isOpen(g.over)
}

// extended reports whether the grace goes on for some services only.
func (g *grace) extended() bool { return g.over != nil && !isOpen(g.over) && isOpen(g.late) }

// ended returns a channel that is closed when the grace may have ended, or when it
// has ended for all services.
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
