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

	"github.com/landmark-health/landmark/internal/clock"
)

const (
	// MaxServices is how many services a registry keeps.
	MaxServices = 10_000
)

// Registry keeps the services that agents report.
type Registry struct {
	clock         *clock.Clock
	grace         grace
	subscriptions subscriptions
	sessions      atomic.Uint64 // opened so far
	quota         room
	histories     ledger
	waiting       waiting
	expected      arrivals

	membersChanged chan struct{} // holds a token once memberships may have changed
	dropped        chan struct{} // holds a token once a name was given back

	// services is copied on each change, under mu, and read without.
	services atomic.Pointer[map[string]*service]
	policies map[string]Policy // by service; guarded by mu
	stopping bool              // all services are drained for the sidecar's end; guarded by mu
	restored bool              // who was there before the start is known; guarded by mu
	starting bool              // the start grace lasts, and is not settled; guarded by mu
	mu       sync.Mutex

	overall overall
}

// New returns an empty registry. For startGrace from now on, or from Begin,
// questions about services that have not reported are held (see Ask).
func New(clock *clock.Clock, startGrace time.Duration) *Registry {
	r := &Registry{
		clock:          clock,
		grace:          grace{clock: clock, length: startGrace, begun: clock.Awake()},
		waiting:        newWaiting(),
		membersChanged: make(chan struct{}, 1),
		dropped:        make(chan struct{}, 1),
	}
	clock.SetFollower(r)
	r.services.Store(&map[string]*service{})
	r.overall.start(&r.services, clock, &r.subscriptions)
	return r
}

// Clock returns the clock by which the registry judges. Intakes add themselves
// to it as sources.
func (r *Registry) Clock() *clock.Clock { return r.clock }

// BeginGrace begins the start grace anew: from now on agents can come back. It must
// not be called while there are questions. Without Restore of a complete list before
// it, nobody knows which processes to wait for: a service that may have several is not
// serving before the grace is over, unless one of them is enough.
func (r *Registry) BeginGrace() {
	r.mu.Lock()
	r.starting = true
	for _, s := range *r.services.Load() {
		s.beginGrace(!r.restored)
	}
	r.mu.Unlock()
	r.grace.start(r.endGrace)
}

// evaluate ends the start grace for all services, but unless it is the last time for
// those whose processes may be arriving, and reports whether there are none. Where
// nothing says who was there, agents may be arriving of services that are not known
// yet.
func (r *Registry) endGrace(last bool) (all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all = last || r.restored || !r.expected.any(noOwner)
	for _, s := range *r.services.Load() {
		switch {
		case !last && s.awaitsInstances() && r.expected.any(s.owner.Load()):
			all = false
		default:
			s.endGrace()
		}
	}
	if all && r.starting {
		r.starting = false
		r.signalMembers() // who is known by now is all there are
	}
	return all
}

// Names returns the names of the services that were reported, sorted.
func (r *Registry) Names() []string {
	return slices.Sorted(maps.Keys(*r.services.Load()))
}

// Knows reports whether there is a service of the name.
func (r *Registry) Knows(name string) bool { return (*r.services.Load())[name] != nil }

// Subscribe subscribes to the changes of what is told of a name, which nobody
// needs to have reported yet.
func (r *Registry) Subscribe(name []byte) *Subscription {
	service, _ := resolve(name)
	return r.subscriptions.add(string(service))
}

// authorize returns an error if the peer may not report its service, or there is no
// room for it.
func (r *Registry) authorize(p AgentID) error {
	services := *r.services.Load()
	s := services[p.Service]
	if s == nil {
		_, err := findSlot(services, p.UID)
		return err
	}
	return s.authorize(p)
}

// authorize returns an error if the service is another user's.
func (s *service) authorize(p AgentID) error {
	if owner := s.owner.Load(); owner != p.UID && !mayTake(p.UID, owner) {
		return fmt.Errorf("%w: %s is uid %d's, not uid %d's; if it has moved to another user, stop it and run landmark forget %s",
			ErrNotOwner, p.Service, owner, p.UID, p.Service)
	}
	return nil
}

// mayTake reports whether one user may take a service from another: root and
// the sidecar's own user may from everybody else, so that nobody can keep a
// name that is none of his, and everybody may from nobody.
func mayTake(uid, owner uint32) bool {
	return owner == noOwner || privileged(uid) && !privileged(owner)
}

// noOwner is the owner of a service that is configured and was not reported.
const noOwner = math.MaxUint32

func privileged(uid uint32) bool { return uid == 0 || uid == ownUser }

// ownUser is the user that the sidecar runs as.
var ownUser = uint32(os.Geteuid())

// claim returns the peer's service, made if it is new, and taken from who has
// it if that is another user whom the peer outranks.
func (r *Registry) claim(p AgentID) (*service, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	services := *r.services.Load()
	if s := services[p.Service]; s != nil {
		if err := s.authorize(p); err != nil {
			return nil, err
		}
		r.signalMembers()
		if owner := s.owner.Swap(p.UID); owner != p.UID && owner != noOwner {
			s.evict(fmt.Errorf("%w: uid %d took %s from uid %d", ErrNotOwner, p.UID, p.Service, owner))
		}
		return s, nil
	}
	room, err := findSlot(services, p.UID)
	if err != nil {
		return nil, err
	}
	if room != nil && !r.retire(room) {
		return nil, errGone // its process is back this very moment: look again
	}
	s := r.createService(p.Service, p.UID)
	services = maps.Clone(*r.services.Load())
	services[p.Service] = s
	r.services.Store(&services)
	return s, nil
}

// createService makes a service that was not known. The caller holds mu.
func (r *Registry) createService(name string, owner uint32) *service {
	s := newService(name, owner, r.policyOf(name), r.clock, r.serviceChanged)
	s.membersChanged, s.expired = r.signalMembers, r.expired
	s.stopping = r.stopping
	s.account = r.histories.enter(s)
	if r.starting && !r.restored {
		s.beginGrace(true) // published, for settle must see it before the first report
	}
	return s
}

func (r *Registry) serviceChanged(s *service) {
	r.subscriptions.wake(s.name)
	r.overall.refresh()
}
