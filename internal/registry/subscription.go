package registry

import (
	"container/list"
	"sync"
)

// Subscribe subscribes to the changes of the answer about a name, which may be
// unknown yet.
func (r *Registry) Subscribe(name []byte) *Subscription {
	changed := make(chan struct{}, 1)
	s := r.SubscribeFunc(name, func() {
		select {
		case changed <- struct{}{}:
		default: // there is a token already
		}
	})
	s.changed = changed
	return s
}

// SubscribeFunc is Subscribe for a watcher without a goroutine of its own: each change
// calls f, until Close returns. Locks are held meanwhile, so f must return at once, and
// must not call the registry.
func (r *Registry) SubscribeFunc(name []byte, f func()) *Subscription {
	service, _ := resolve(name)
	return r.subscriptions.add(string(service), f)
}

// Subscription wakes a watcher when the answer about a name changes. It says that
// there is a change, not which: the watcher looks the answer up, and then finds the
// latest, however slow it was.
type Subscription struct {
	wake    func()
	changed <-chan struct{} // nil if it was made by SubscribeFunc
	all     *subscriptions
	service string
	place   *list.Element // among those to the service
}

// Changed receives if there was a change since the last receipt. Over all services
// that is a change of any of them. It is for a Subscription that Subscribe has made.
func (s *Subscription) Changed() <-chan struct{} { return s.changed }

// Close ends the subscription.
func (s *Subscription) Close() { s.all.remove(s) }

// subscriptions are those to each service, in the order in which they were made; "" is all
// services. Those of one connection are mostly made one after the other. Woken in that order
// their watchers fill its buffer together, and it takes one system call.
type subscriptions struct {
	mu        sync.Mutex
	byService map[string]*list.List // of *Subscription; guarded by mu
}

func (all *subscriptions) add(service string, wake func()) *Subscription {
	s := &Subscription{wake: wake, all: all, service: service}
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.byService == nil {
		all.byService = make(map[string]*list.List)
	}
	if all.byService[service] == nil {
		all.byService[service] = list.New()
	}
	s.place = all.byService[service].PushBack(s)
	return s
}

func (all *subscriptions) remove(s *Subscription) {
	all.mu.Lock()
	defer all.mu.Unlock()
	of := all.byService[s.service]
	if of == nil {
		return // it was removed before, and was the last
	}
	of.Remove(s.place) // does nothing if it was removed before
	if of.Len() == 0 {
		delete(all.byService, s.service)
	}
}

// wake wakes the watchers of the service, or of all services for "".
func (all *subscriptions) wake(service string) {
	all.mu.Lock()
	defer all.mu.Unlock()
	of := all.byService[service]
	if of == nil {
		return
	}
	for place := of.Front(); place != nil; place = place.Next() {
		place.Value.(*Subscription).wake()
	}
}
