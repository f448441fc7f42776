package registry

import (
	"sync/atomic"

	"github.com/landmark-health/landmark/sidecar/internal/judge"
)

// overall is what is told over all services together.
type overall struct {
	services *atomic.Pointer[map[string]*service]
	clock    *Clock
	// standings are replaced when the services have come to something else,
	// by whoever finds it first, be it a reader: so nobody is ever told a
	// count of changes that is taken back. They hold the past; the verdict
	// itself is made anew for each question, since its age changes with every
	// report of every service.
	standings atomic.Pointer[[judge.Aspects]standing]
}

func (o *overall) begin(services *atomic.Pointer[map[string]*service], clock *Clock) {
	o.services, o.clock = services, clock
	now := clock.Now()
	var standings [judge.Aspects]standing
	for a := range standings {
		standings[a] = standing{Verdict: judge.NoService(now), since: now}
	}
	o.standings.Store(&standings)
}

// update takes note of a service's change.
func (o *overall) update() {
	for {
		// The facts are read after the standings that they are to follow, and
		// count only if these are still the latest by then.
		before := o.standings.Load()
		services, now := *o.services.Load(), o.clock.Now()
		after := *before
		for a := range after {
			v, _ := together(services, judge.Aspect(a), now)
			after[a] = after[a].follow(v, now)
		}
		if o.standings.CompareAndSwap(before, &after) {
			return
		}
	}
}

// look returns what is told over all services.
func (o *overall) look(a judge.Aspect) Answer {
	for {
		before := o.standings.Load()[a]
		now, real := o.clock.Read()
		v, decides := together(*o.services.Load(), a, now)
		if after := before.follow(v, now); after.changes == before.changes {
			answer := told(after, now, real)
			answer.service = decides
			return answer
		}
		o.update()
	}
}

// together returns the verdict over all services, and the one that decided it:
// of several alike, the first by name, so that the answer does not jump.
func together(services map[string]*service, a judge.Aspect, now judge.Instant) (judge.Verdict, *service) {
	v := judge.NoService(now)
	var decides *service
	for _, s := range services {
		shot := s.present.Load().at(now)
		if len(shot.facts.Instances) == 0 && !shot.policy.Configured {
			continue // its first report is on its way
		}
		w := shot.standings[a].Verdict
		switch {
		case decides == nil:
			v, decides = w, s
		case w.Cause == v.Cause && s.name < decides.name:
			v, decides = w.And(v), s
		default:
			both := v.And(w)
			if both.Cause != v.Cause {
				decides = s
			}
			v = both
		}
	}
	return v, decides
}
