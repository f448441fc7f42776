package registry

import "sync"

// Subscribe subscribes to the changes of the answer about a name, which may be
// unknown yet.
func (r *Registry) Subscribe(name []byte) *Subscription {
	service, _ := resolve(name)
	return r.subscriptions.add(string(service))
}

// Subscription wakes a watcher when the answer about a name changes. It says that
// there is a change, not which: the watcher looks the answer up, and then finds the
// latest, however slow it was.
type Subscription struct {
	changed chan struct{}
	all     *subscriptions
	service string
}

// Changed receives if there was a change since the last receipt. Over all services
// that is a change of any of them.
func (s *Subscription) Changed() <-chan struct{} { return s.changed }

// Close ends the subscription.
func (s *Subscription) Close() { s.all.remove(s) }

// subscriptions are those to each service; "" is all services.
type subscriptions struct {
	mu        sync.Mutex
	byService map[string]map[*Subscription]struct{} // guarded by mu
}

func (all *subscriptions) add(service string) *Subscription {
	s := &Subscription{changed: make(chan struct{}, 1), all: all, service: service}
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.byService == nil {
		all.byService = make(map[string]map[*Subscription]struct{})
	}
	if all.byService[service] == nil {
		all.byService[service] = make(map[*Subscription]struct{})
	}
	all.byService[service][s] = struct{}{}
	return s
}

func (all *subscriptions) remove(s *Subscription) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.byService[s.service], s)
	if len(all.byService[s.service]) == 0 {
		delete(all.byService, s.service)
	}
}

// wake wakes the watchers of the service, or of all services for "".
func (all *subscriptions) wake(service string) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for s := range all.byService[service] {
		select {
		case s.changed <- struct{}{}:
		default: // there is a token already
		}
	}
}
