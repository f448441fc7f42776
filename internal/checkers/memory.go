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

// Tracker remembers who asks. Its methods may be called by any number of
// goroutines at once. It is made by New.
type Tracker struct {
	logger *slog.Logger
	now    func() time.Duration
	awake  atomic.Int64  // the instant since when the sidecar has not been kept from hearing
	news   chan struct{} // holds one token if Run is to look

	// services is copied when one is asked about for the first time, under mu,
	// and read without. "" is all of them together.
	services atomic.Pointer[map[string]*list]
	mu       sync.Mutex
	unknown  list // who asks for what nobody knows
}

// New returns a memory that tells the logger of checkers that fall silent, while
// Run runs. Its instants are those of the monotonic clock now.
func New(logger *slog.Logger, now func() time.Duration) *Tracker {
	m := &Tracker{logger: logger, now: now, news: make(chan struct{}, 1)}
	m.services.Store(&map[string]*list{})
	return m
}

// Record takes it that the checker has asked at the instant, which is the caller's
// to give, who has it from its answer: to read the clock once more would cost
// as much as the rest. It keeps no reference to the name, and allocates nothing
// but for newcomers.
func (m *Tracker) Record(q Check, a Checker, at time.Duration) {
	switch {
	case !q.Known:
		m.unknown.note(a, q.Name, at)
	case m.of(q.Service).note(a, nil, at):
		m.wake()
	}
}

// of returns the checkers of the service.
func (m *Tracker) of(service string) *list {
	if l := (*m.services.Load())[service]; l != nil {
		return l
	}
	return m.open(service)
}

// open makes a list of checkers of the service if there is none.
func (m *Tracker) open(service string) *list {
	m.mu.Lock()
	defer m.mu.Unlock()
	services := *m.services.Load()
	if l := services[service]; l != nil {
		return l
	}
	services, l := maps.Clone(services), new(list)
	services[service] = l
	m.services.Store(&services)
	return l
}

// Retain forgets the checkers of all services but those named, sorted, and all
// together.
func (m *Tracker) Retain(names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := make(map[string]*list)
	for name, l := range *m.services.Load() {
		if _, named := slices.BinarySearch(names, name); named || name == "" {
			kept[name] = l
		}
	}
	m.services.Store(&kept)
}

// Stats is what is told of a checker at an instant.
type Stats struct {
	Checker
	SinceLast time.Duration // since the last question; 0 while it watches
	Rate      float64       // questions, over the last while: falls to 0 once it asks no more
	UsualRate float64       // Rate as it was at the last question
	Total     uint64        // questions since the checker came
	Watching  uint32        // watches that it holds
	Silent    bool          // it asked steadily, and does not any more
}

// ByService tells the checkers of the service, "" for all together, of the last day, the
// silent ones first.
func (m *Tracker) ByService(service string) []Stats {
	l := (*m.services.Load())[service]
	if l == nil {
		return nil
	}
	var told []Stats
	m.tell(l, func(_ []byte, t Stats) { told = append(told, t) })
	slices.SortFunc(told, compare)
	return told
}

// Unknown is what is told of a checker for a name that nobody knew.
type Unknown struct {
	Name string
	Stats
}

// Unknown tells who asked, in the last day, for names that nobody knew, sorted
// by name.
func (m *Tracker) Unknown() []Unknown {
	var told []Unknown
	m.tell(&m.unknown, func(name []byte, t Stats) { told = append(told, Unknown{string(name), t}) })
	slices.SortFunc(told, func(a, b Unknown) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), compare(a.Stats, b.Stats))
	})
	return told
}

// tell calls for each checker of the list, with the name that nobody knows if it
// asks for one.
func (m *Tracker) tell(l *list, call func(name []byte, t Stats)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, awake := m.now(), time.Duration(m.awake.Load())
	l.forget(now)
	for i := range l.entries {
		e := &l.entries[i]
		t := Stats{
			Checker: e.checker, SinceLast: max(0, now-e.last), Rate: e.rate(now), UsualRate: e.usual(),
			Total: e.total, Watching: e.watching, Silent: e.silent(now, awake),
		}
		if t.Watching > 0 {
			t.SinceLast = 0
		}
		call(e.name, t)
	}
}

// compare puts the silent ones first.
func compare(a, b Stats) int {
	if a.Silent != b.Silent {
		if a.Silent {
			return -1
		}
		return 1
	}
	return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Via, b.Via))
}
