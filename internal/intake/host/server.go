package host

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

const (
	// How often the host is read: often enough for a balancer to be told in
	// time, and for what time alone makes of a queue.
	addressInterval = 200 * time.Millisecond
	listenInterval  = 100 * time.Millisecond
	queueInterval   = 250 * time.Millisecond // or four times in a Within, if that is oftener
	minInterval     = 25 * time.Millisecond
	// freshFor is how long after it began a reading is of now. It is shorter than
	// any pause of landmarkd's that counts as one.
	freshFor = 25 * time.Millisecond
)

// Server reads the host.
type Server struct {
	registry *registry.Registry
	logger   *slog.Logger
	origin   time.Time
	wake     chan struct{} // holds a token while a reading is wanted at once
	readAt   atomic.Int64  // when the last reading that was reported had begun, in ns since origin
	interval atomic.Int64  // how often the host is read, in ns; 0 = never: there is nothing to read

	mu          sync.Mutex // guards what follows, and makes of a reading and its report one
	route, diag *netlink
	watched     map[string][]*watched // by service
	queues      map[netip.AddrPort]*queue
}

// watched is a landmark of a service, and what is remembered of it.
type watched struct {
	registry.HostLandmark
	problem string // why it could not be read, as was logged
}

// New returns a server that feeds the registry. It has nothing to read yet.
func New(r *registry.Registry, logger *slog.Logger) *Server {
	return &Server{
		registry: r,
		logger:   logger,
		origin:   time.Now(),
		wake:     make(chan struct{}, 1),
		route:    newNetlink(unix.NETLINK_ROUTE),
		diag:     newNetlink(unix.NETLINK_SOCK_DIAG),
	}
}

// Configure gives the registry its policies, and with them what their landmarks
// of the host are now: nothing is told by a policy whose landmarks were not
// read. From now on these are read. It may be called at any time.
func (s *Server) Configure(policies map[string]registry.Policy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	watched, every := s.landmarksOf(policies)
	queues := s.queuesOf(watched)
	if every > 0 && s.interval.Load() == 0 {
		s.registry.Clock().AddSource() // before anything is said that could grow old
	}
	s.watched, s.queues = watched, queues
	begun, facts := s.read()
	seen := make(map[string]registry.HostReport, len(facts))
	for name, facts := range facts {
		seen[name] = registry.HostReport{Facts: facts, Age: s.now() - begun}
	}
	s.registry.Configure(policies, seen)
	s.readAt.Store(int64(begun))
	if s.interval.Swap(int64(every)) > 0 && every == 0 {
		s.registry.Clock().RemoveSource()
	}
	s.readNow()
}

// landmarksOf returns what the policies have read, and how often. Of a landmark that
// was read before it keeps what is known.
func (s *Server) landmarksOf(policies map[string]registry.Policy) (all map[string][]*watched, every time.Duration) {
	all = make(map[string][]*watched)
	for name, p := range policies {
		for _, l := range p.Host {
			w := &watched{HostLandmark: l}
			for _, before := range s.watched[name] {
				if before.HostLandmark == l {
					w = before
				}
			}
			all[name] = append(all[name], w)
			if often := intervalOf(l); every == 0 || often < every {
				every = often
			}
		}
	}
	return all, every
}

// queuesOf returns the queues of what is watched. Of a place that was watched
// before, by whichever landmark, it keeps what is known: that somebody has
// written another within is no reason to take who waits there for a newcomer.
func (s *Server) queuesOf(all map[string][]*watched) map[netip.AddrPort]*queue {
	queues := make(map[netip.AddrPort]*queue)
	for _, of := range all {
		for _, w := range of {
			if w.Kind != judge.KindDeadline {
				continue
			}
			q := queues[w.Port]
			if q == nil {
				if q = s.queues[w.Port]; q == nil {
					q = new(queue)
				}
				queues[w.Port], q.within = q, w.Within
			}
			q.within = min(q.within, w.Within)
		}
	}
	return queues
}

// intervalOf is how often the landmark is read.
func intervalOf(l registry.HostLandmark) time.Duration {
	switch {
	case l.Address.IsValid():
		return addressInterval
	case l.Kind == judge.KindCondition:
		return listenInterval
	default:
		return max(minInterval, min(queueInterval, l.Within/4))
	}
}

// Run reads the host until ctx is done, for as long as there is anything to
// read, and returns nil. What the registry last knew, it goes on knowing.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-timer.C:
		}
		if every := s.report(); every > 0 {
			timer.Reset(every)
		} else {
			timer.Stop()
		}
	}
}

// report reads the host and tells the registry, and returns how soon to do so
// again, 0 if there is nothing to read.
func (s *Server) report() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	every := time.Duration(s.interval.Load())
	if every == 0 {
		return 0
	}
	begun, facts := s.read()
	for name, facts := range facts {
		s.registry.ReportHost(name, registry.HostReport{Facts: facts, Age: s.now() - begun})
	}
	s.readAt.Store(int64(begun))
	for _, q := range s.queues {
		if due := q.recheckIn(s.now()); due > 0 {
			every = min(every, due)
		}
	}
	return every
}

// read reads all that is watched, and returns when it began to, and the facts
// by service.
func (s *Server) read() (begun time.Duration, facts map[string][]registry.Fact) {
	begun = s.now()
	v := &view{
		route: s.route, diag: s.diag, now: s.now,
		listeners: make(map[uint16]*cached[[]listener]), queues: s.queues, counted: make(map[netip.AddrPort]*cached[[]listener]),
	}
	facts = make(map[string][]registry.Fact, len(s.watched))
	for name, all := range s.watched {
		for _, w := range all {
			fact, err := v.check(&w.HostLandmark)
			if err != nil {
				fact = registry.Fact{Reached: true, Unreadable: true, Reason: err.Error()}
			}
			s.log(name, w, err)
			facts[name] = append(facts[name], fact)
		}
	}
	return begun, facts
}

// log tells of a landmark that it cannot be read, once, and that it can again.
func (s *Server) log(service string, w *watched, err error) {
	unread := ""
	if err != nil {
		unread = err.Error()
	}
	switch {
	case unread == w.problem:
	case err != nil:
		s.logger.Warn("a landmark of the host cannot be read", "service", service, "landmark", w.Name, "err", err)
	default:
		s.logger.Info("a landmark of the host can be read again", "service", service, "landmark", w.Name)
	}
	w.problem = unread
}

// CaughtUp reports whether what the registry knows of the host is of now, as
// if it had been sent: there is nothing of the host's that was not read. If
// there is, it is read at once. It may be called by any number of goroutines,
// and before Run.
func (s *Server) CaughtUp() bool {
	if s.interval.Load() == 0 || s.now()-time.Duration(s.readAt.Load()) < freshFor {
		return true
	}
	s.readNow()
	return false
}

// readNow has the host read at once.
func (s *Server) readNow() {
	select {
	case s.wake <- struct{}{}:
	default: // it is wanted already
	}
}

// now is the time since the origin.
func (s *Server) now() time.Duration { return time.Since(s.origin) }

func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.route.close()
	s.diag.close()
}
