package registry

import (
	"sync"
	"sync/atomic"

	"github.com/landmark-health/landmark/sidecar/internal/judge"
)

// overall is what is told over all services together.
type overall struct {
	// standings are replaced under mu on each change of a service, and read
	// without. They hold the past; the verdict itself is made anew for each
	// question, since its age changes with every report of every service.
	standings atomic.Pointer[[judge.Aspects]standing]
	mu        sync.Mutex
}

func (o *overall) begin(now judge.Instant) {
	var standings [judge.Aspects]standing
	for a := range standings {
		standings[a] = standing{Verdict: judge.NoService(now), since: now}
	}
	o.standings.Store(&standings)
}

// update takes note of a service's change.
func (o *overall) update(services map[string]*service, now judge.Instant) {
	o.mu.Lock()
	defer o.mu.Unlock()
	standings := *o.standings.Load()
	for a := range standings {
		v, _ := together(services, judge.Aspect(a), now)
		standings[a] = standings[a].follow(v, now)
	}
	o.standings.Store(&standings)
}

// look returns what is told over all services at now.
func (o *overall) look(services map[string]*service, a judge.Aspect, now judge.Instant) Answer {
	v, decides := together(services, a, now)
	answer := told(o.standings.Load()[a].follow(v, now), now)
	answer.service = decides
	return answer
}

// together returns the verdict over all services, and the one that decided it:
// of several alike, the first by name, so that the answer does not jump.
func together(services map[string]*service, a judge.Aspect, now judge.Instant) (judge.Verdict, *service) {
	v := judge.NoService(now)
	var decides *service
	for _, s := range services {
		w := s.present.Load().at(now).standings[a].Verdict
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
