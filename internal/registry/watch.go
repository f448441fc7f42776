package registry

import "sync"

// Subscription wakes whoever watches a name when what is told of it changes.
// It says that there is news, not what: the watcher looks, and so always finds
// the latest, however slow it was.
type Subscription struct {
	changed chan struct{}
	all     *subscriptions
	service string
}

// Changed receives once there was a change since the last receipt: for a watcher of
// all services, a change of any.
func (s *Subscription) Changed() <-chan struct{} { return s.changed }

// Close ends the subscription.
func (s *Subscription) Close() { s.all.remove(s) }

// all are the subscriptions by service; "" is all services.
type subscriptions struct {
	mu        sync.Mutex
	byService map[string]map[*Subscription]struct{} // guarded by mu
}

func (w *subscriptions) add(service string) *Subscription {
	s := &Subscription{changed: make(chan struct{}, 1), all: w, service: service}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byService == nil {
		w.byService = make(map[string]map[*Subscription]struct{})
	}
	if w.byService[service] == nil {
		w.byService[service] = make(map[*Subscription]struct{})
	}
	w.byService[service][s] = struct{}{}
	return s
}

func (w *subscriptions) remove(s *Subscription) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byService[s.service], s)
	if len(w.byService[s.service]) == 0 {
		delete(w.byService, s.service)
	}
}

// wake tells the watchers of the service, or those of all services.
func (w *subscriptions) wake(service string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for s := range w.byService[service] {
		select {
		case s.changed <- struct{}{}:
		default: // wasPresent is news for it already
		}
	}
}
