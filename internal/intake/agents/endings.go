package agents

import "sync"

// endings lets the sessions of one user end one after the other. Thousands may end at once. If
// all their goroutines worked then, an answer would wait until each has had its turn.
//
// To end one of n sessions of a service takes as long as n. So the sessions of one service wait
// for each other first, and only one of them at a time for those of other services: a program
// that has ended stays SERVING no longer because many others of its user have ended, too.
type endings struct {
	ending sync.Mutex // held while a session ends

	mu       sync.Mutex
	services map[string]*serviceEndings // of which sessions end; guarded by mu
}

// serviceEndings are the sessions of one service that end.
type serviceEndings struct {
	first    sync.Mutex // held by the one that ends next
	sessions int        // guarded by endings.mu
}

// one calls end, which ends a session of the service, when it is its turn.
func (e *endings) one(service string, end func()) {
	s := e.join(service)
	defer e.leave(service, s)
	s.first.Lock()
	defer s.first.Unlock()
	e.ending.Lock()
	defer e.ending.Unlock()
	end()
}

func (e *endings) join(service string) *serviceEndings {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.services[service]
	if s == nil {
		if e.services == nil {
			e.services = make(map[string]*serviceEndings)
		}
		s = &serviceEndings{}
		e.services[service] = s
	}
	s.sessions++
	return s
}

func (e *endings) leave(service string, s *serviceEndings) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.sessions--; s.sessions == 0 {
		delete(e.services, service)
	}
}
