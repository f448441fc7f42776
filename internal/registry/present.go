package registry

import "github.com/landmark-health/landmark/internal/judge"

// ServiceStatus is what is told of one service at an instant, in all aspects.
type ServiceStatus struct {
	Name    string
	Answers [judge.Aspects]Answer
	Drained bool // by an operator
}

// ServiceStatus returns what is told of the service, from memory, and whether it is
// known.
func (r *Registry) Present(name string) (ServiceStatus, bool) {
	s := (*r.services.Load())[name]
	if s == nil {
		return ServiceStatus{}, false
	}
	now, real := s.readClock()
	shot := s.current.Load().at(now)
	p := ServiceStatus{Name: s.name, Drained: shot.facts.Drained}
	for a := range p.Answers {
		p.Answers[a] = s.answer(shot, judge.Aspect(a), now, real)
	}
	return p, true
}
