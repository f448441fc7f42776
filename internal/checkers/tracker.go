// Package checkers records who checks each service, through which front end,
// how often, and when last. So an operator notices a director that is dead, or
// that checks the wrong name, before the other director fails too. Front ends
// record each check after the answer. Nothing that is recorded here affects an
// answer.
//
// The memory is bounded, since the source of a datagram can be forged; see
// list. Nothing is kept when the sidecar ends.
package checkers

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Tracker records checks. Its methods are safe for concurrent use. Create it
// with New.
type Tracker struct {
	logger     *slog.Logger
	now        func() time.Duration
	awakeSince atomic.Int64  // since when the sidecar has run without a pause; see Run
	wakeups    chan struct{} // has a token if Run has something to do

	// services maps service names to their checkers; "" is for all services
	// together. It is replaced under mu, and read without a lock.
	services atomic.Pointer[map[string]*list]
	mu       sync.Mutex
	unknown  list // checkers of unknown names

	bfdMu       sync.Mutex
	bfdSessions []*BFDSession // guarded by bfdMu; as many as are configured
}

// New returns a Tracker whose Run logs checkers that fall silent. The function
// now returns the time by a monotonic clock.
func New(logger *slog.Logger, now func() time.Duration) *Tracker {
	t := &Tracker{logger: logger, now: now, wakeups: make(chan struct{}, 1)}
	t.services.Store(&map[string]*list{})
	return t
}

// Record records a check at the given time. Callers pass the time of the answer:
// reading the clock again would cost as much as the rest. Record keeps no
// reference to q.Name, and allocates only for a new checker.
func (t *Tracker) Record(q Check, c Checker, at time.Duration) { t.RecordAll(q, c, 1, at) }

// RecordAll is Record for n checks, at least one, that were answered together.
func (t *Tracker) RecordAll(q Check, c Checker, n int, at time.Duration) {
	switch {
	case !q.Known:
		t.unknown.record(c, q.Name, n, at)
	case t.listOf(q.Service).record(c, nil, n, at):
		t.wake()
	}
}

// listOf returns the list of the service's checkers.
func (t *Tracker) listOf(service string) *list {
	if l := (*t.services.Load())[service]; l != nil {
		return l
	}
	return t.addList(service)
}

// addList adds a list for the service if there is none.
func (t *Tracker) addList(service string) *list {
	t.mu.Lock()
	defer t.mu.Unlock()
	services := *t.services.Load()
	if l := services[service]; l != nil {
		return l
	}
	services, l := maps.Clone(services), new(list)
	services[service] = l
	t.services.Store(&services)
	return l
}

// Retain drops the checkers of all services that are not in names, which must be
// sorted. It keeps those of all services together.
func (t *Tracker) Retain(names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := make(map[string]*list)
	for name, l := range *t.services.Load() {
		if _, named := slices.BinarySearch(names, name); named || name == "" {
			kept[name] = l
		}
	}
	t.services.Store(&kept)
}

// Stats describes a checker.
type Stats struct {
	Checker
	SinceLast time.Duration // since the last check; 0 while it watches
	Rate      float64       // checks per second; falls to 0 after the last check
	UsualRate float64       // Rate at the last check
	Total     uint64        // checks since the first
	Watching  uint32        // watches that it holds
	Steady    bool          // it checks steadily, or did
	Silent    bool          // it checked steadily, and no longer does
}

// ByService returns the checkers of the service in the last day, "" for those of
// all services together. Silent ones come first. The peers of BFD sessions are not
// among them: see BFDSessions.
func (t *Tracker) ByService(service string) []Stats {
	l := (*t.services.Load())[service]
	if l == nil {
		return nil
	}
	var all []Stats
	t.each(l, func(_ []byte, s Stats) { all = append(all, s) })
	slices.SortFunc(all, compare)
	return all
}

// Unknown describes a checker of a name that no service has.
type Unknown struct {
	Name string
	Stats
}

// Unknown returns the checkers of unknown names in the last day, sorted by name,
// without the peers of BFD sessions.
func (t *Tracker) Unknown() []Unknown {
	var all []Unknown
	t.each(&t.unknown, func(name []byte, s Stats) { all = append(all, Unknown{string(name), s}) })
	slices.SortFunc(all, func(a, b Unknown) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), compare(a.Stats, b.Stats))
	})
	return all
}

// each calls f for each checker of the list that is not the peer of a BFD session,
// with the unknown name that it checks, if any.
func (t *Tracker) each(l *list, f func(name []byte, s Stats)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, awakeSince := t.now(), time.Duration(t.awakeSince.Load())
	l.dropOld(now)
	for i := range l.entries {
		e := &l.entries[i]
		if e.checker.Via == BFD {
			continue
		}
		s := Stats{
			Checker: e.checker, SinceLast: max(0, now-e.last), Rate: e.rate(now), UsualRate: e.usualRate(),
			Total: e.total, Watching: e.watching, Steady: e.steady || e.watching > 0 && now-e.watchingSince >= steadyTime, Silent: e.silent(now, l.seenSince(e, now, awakeSince)),
		}
		if s.Watching > 0 {
			s.SinceLast = 0
		}
		f(e.name, s)
	}
}

// compare orders silent checkers first, then by address and front end.
func compare(a, b Stats) int {
	if a.Silent != b.Silent {
		if a.Silent {
			return -1
		}
		return 1
	}
	return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Via, b.Via))
}
