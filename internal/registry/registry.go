// Package registry keeps what agents report and answers what front ends ask.
//
// The intake opens a [Session] for each process and feeds it. The registry has the
// facts judged, publishes each service's facts and verdicts as one immutable
// snapshot, and wakes the [Subscription]s of a service that changed. Readers
// ([Registry.Lookup]) load the snapshot and never wait for a writer, except for the
// first after a time in which nothing happened (catchup.go). A snapshot
// says until when it holds: a reader that comes later evaluates it again, and so
// does one timer per service.
//
// All exported methods may be called by any number of goroutines at once, except
// that the methods of one Session are called by one goroutine at a time.
//
// A report is followed through session.go, service.go, slots.go and snapshot.go, a
// request through lookup.go and answer.go, and through await.go if it has to wait.
// catchup.go is what happens after a pause of the sidecar, and grace.go after its
// start. failure.go notices processes whose work begins to fail, and evidence.go keeps
// what is then seen of them.
package registry

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/quota"
)

// MaxServices is the number of services that a registry keeps.
const MaxServices = 10_000

// Registry keeps the services that agents report. New makes it.
type Registry struct {
	clock         *clock.Clock
	grace         grace
	subscriptions subscriptions
	waiters       waiters
	recorder      Recorder
	sessions      sessionCounters
	reported      quota.Counter // sessions and landmarks by user, see MaxReportedPerUser
	expected      quota.Counter // agents by user that have connected and not reported yet
	histories     quota.Memory
	evidence      evidenceStore
	onFailure     func(Failure) // nil if no failure is reported

	membersChanged chan struct{} // holds a token once Memberships may have changed
	dropped        chan struct{} // holds a token once a service was dropped

	// services is copied on each change, under mu, and read without it.
	services atomic.Pointer[map[string]*service]
	overall  overall

	mu       sync.Mutex
	policies map[string]Policy // by service; guarded by mu
	stopping bool              // all services are drained because the sidecar stops; guarded by mu
	restored bool              // Restore was given a complete list; guarded by mu
	starting bool              // the start grace is not over; guarded by mu
}

// New returns an empty registry. For startGrace from now on, or from BeginGrace,
// Await waits for services that have not reported.
func New(clock *clock.Clock, startGrace time.Duration) *Registry {
	r := &Registry{
		clock:          clock,
		grace:          grace{clock: clock, length: startGrace, began: clock.Awake()},
		waiters:        newWaiters(),
		evidence:       evidenceStore{lists: make(map[*service]*evidenceList), users: make(map[uint32]int)},
		recorder:       noRecorder{},
		histories:      quota.Memory{Limit: MaxHistory, PerUser: MaxHistoryPerUser},
		membersChanged: make(chan struct{}, 1),
		dropped:        make(chan struct{}, 1),
	}
	clock.SetFollower(r)
	r.services.Store(&map[string]*service{})
	r.overall.start(&r.services, clock, &r.subscriptions)
	return r
}

// Clock returns the clock by which the registry judges. Intakes add themselves to
// it as sources.
func (r *Registry) Clock() *clock.Clock { return r.clock }

// Names returns the names of the services that are known, sorted.
func (r *Registry) Names() []string {
	return slices.Sorted(maps.Keys(*r.services.Load()))
}

// Knows reports whether there is a service of this name.
func (r *Registry) Knows(name string) bool { return r.service(name) != nil }

// Dropped receives once services were dropped since the last receipt.
func (r *Registry) Dropped() <-chan struct{} { return r.dropped }

// turnServices is the number of services that a turn evaluates, so that it costs no more
// than 2 ms.
const turnServices = 1000

// Turn evaluates the services as a report does, and returns only if that works. Of more
// than turnServices it takes others each time, in the random order of the map.
func (r *Registry) Turn() {
	r.mu.Lock() // which a configuration or a new service takes
	services := *r.services.Load()
	r.mu.Unlock()
	left := turnServices
	for _, s := range services {
		if left--; left < 0 {
			break
		}
		s.update(func() bool { return true })
	}
}

// service returns the service of this name, or nil.
func (r *Registry) service(name string) *service { return (*r.services.Load())[name] }

// createService makes a service that was not known. The caller holds mu and stores
// it in services.
func (r *Registry) createService(name string, owner uint32) *service {
	s := newService(name, owner, r.policyOf(name), r.clock, r.recorder.Service(name), hooks{
		changed:        r.serviceChanged,
		membersChanged: r.signalMembers,
		expired:        r.expired,
		failure:        r.onFailure,
	})
	s.stopping = r.stopping
	s.evidence = &r.evidence
	s.account = quota.NewAccount(&r.histories, s, owner)
	if r.starting && !r.restored {
		s.beginGrace(true) // here, because endGrace must find it even before the first report
	}
	return s
}

// drop removes a retired service. The caller holds mu.
func (r *Registry) drop(s *service) {
	if r.service(s.name) != s {
		return
	}
	left := maps.Clone(*r.services.Load())
	delete(left, s.name)
	r.services.Store(&left)
	r.evidence.forget(s)
	s.recordGone()
	r.serviceChanged(s)
	r.signalMembers()
	select {
	case r.dropped <- struct{}{}:
	default: // there is a token already
	}
}

// serviceChanged wakes those who watch the service, or all services.
func (r *Registry) serviceChanged(s *service) {
	r.subscriptions.wake(s.name)
	r.overall.refresh()
}
