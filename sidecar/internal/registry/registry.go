package registry

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxServices is how many services a registry keeps.
	MaxServices = 10_000
	// MaxServicesPerUser is how many of them one user may have, so that no
	// user can take the place of another's.
	MaxServicesPerUser = 2_000
	// maxWaiting is how many askers may wait, for a service's first report or
	// for its main loop; beyond it memory answers at once.
	maxWaiting = 4096
)

// Registry keeps the services that agents report.
type Registry struct {
	clock    *Clock
	grace    grace
	watches  watches
	sessions atomic.Uint64 // opened so far
	room     room
	waiting  chan struct{} // holds one token for each asker that waits

	// services is copied on each change, under mu, and read without.
	services atomic.Pointer[map[string]*service]
	policies map[string]Policy // by service; guarded by mu
	drain    drain             // of all services; guarded by mu
	mu       sync.Mutex

	overall overall
}

// New returns an empty registry. For startGrace from now on, or from Begin,
// questions about services that have not reported are held (see Ask).
func New(clock *Clock, startGrace time.Duration) *Registry {
	r := &Registry{
		clock:   clock,
		grace:   grace{clock: clock, lasts: startGrace, from: clock.ran()},
		waiting: make(chan struct{}, maxWaiting),
	}
	clock.follow(r)
	r.services.Store(&map[string]*service{})
	r.overall.begin(&r.services, clock, &r.watches)
	return r
}

// Begin begins the start grace anew: from now on agents can come back. It must
// not be called while there are questions.
func (r *Registry) Begin() { r.grace.begin() }

// Names returns the names of the services that were reported, sorted.
func (r *Registry) Names() []string {
	return slices.Sorted(maps.Keys(*r.services.Load()))
}

// Watch subscribes to the changes of what is told of a name, which nobody
// needs to have reported yet.
func (r *Registry) Watch(name []byte) *Subscription {
	service, _ := resolve(name)
	return r.watches.add(string(service))
}

// admits returns an error if the peer may not report its service.
func (r *Registry) admits(p Peer) error {
	services := *r.services.Load()
	s := services[p.Service]
	switch {
	case s == nil:
		return checkRoom(services, p.UID)
	case s.owner.Load() != p.UID && !outranks(p.UID, s.owner.Load()):
		return fmt.Errorf("%w: %s is uid %d's, not uid %d's", ErrForeign, p.Service, s.owner.Load(), p.UID)
	}
	return nil
}

// outranks reports whether one user may take a service from another: root and
// the sidecar's own user may from everybody else, so that nobody can keep a
// name that is none of his, and everybody may from nobody.
func outranks(uid, owner uint32) bool { return owner == nobody || ranking(uid) && !ranking(owner) }

// nobody is the owner of a service that is configured and was not reported.
const nobody = math.MaxUint32

func ranking(uid uint32) bool { return uid == 0 || uid == uint32(os.Geteuid()) }

// claim returns the peer's service, made if it is new, and taken from who has
// it if that is another user whom the peer outranks.
func (r *Registry) claim(p Peer) (*service, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.admits(p); err != nil {
		return nil, err
	}
	services := *r.services.Load()
	if s := services[p.Service]; s != nil {
		if owner := s.owner.Swap(p.UID); owner != p.UID && owner != nobody {
			s.evict(fmt.Errorf("%w: uid %d took %s from uid %d", ErrForeign, p.UID, p.Service, owner))
		}
		return s, nil
	}
	s := r.found(p.Service, p.UID)
	services = maps.Clone(services)
	services[p.Service] = s
	r.services.Store(&services)
	return s, nil
}

// found makes a service that was not known. The caller holds mu.
func (r *Registry) found(name string, owner uint32) *service {
	s := newService(name, owner, r.policyOf(name), r.clock, r.serviceChanged)
	s.drain = r.drain
	return s
}

// checkRoom returns an error if the user may not have one more service.
func checkRoom(services map[string]*service, uid uint32) error {
	if len(services) >= MaxServices {
		return fmt.Errorf("%w services: %d are known, as many as one sidecar keeps", ErrLimit, MaxServices)
	}
	own := 0
	for _, s := range services {
		if s.owner.Load() == uid {
			own++
		}
	}
	if own >= MaxServicesPerUser {
		return fmt.Errorf("%w services: uid %d has %d, as many as one user may have", ErrLimit, uid, MaxServicesPerUser)
	}
	return nil
}

func (r *Registry) serviceChanged(s *service) {
	r.watches.wake(s.name)
	r.overall.update()
}
