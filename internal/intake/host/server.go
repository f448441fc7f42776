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
	// How often the host is read. It is often enough for a balancer to act in time,
	// and for the age of a queue's oldest connection.
	addressInterval = 200 * time.Millisecond
	listenInterval  = 100 * time.Millisecond
	queueInterval   = 250 * time.Millisecond // or a quarter of the Within, if that is shorter
	minInterval     = 25 * time.Millisecond
	// freshFor is how long after its start a reading counts as current. It is shorter
	// than any pause that the clock counts as one.
	freshFor = 25 * time.Millisecond
)

// Server reads the host and reports to the registry.
type Server struct {
	registry *registry.Registry
	logger   *slog.Logger
	origin   time.Time
	wake     chan struct{} // holds a token while a reading is requested
	readAt   atomic.Int64  // when the last reported reading began, in ns since origin
	interval atomic.Int64  // between readings, in ns; 0 = there is nothing to read

	mu          sync.Mutex // guards what follows, and spans a reading and its report
	route, diag *netlink
	watched     map[string][]*watched // by service
	queues      map[netip.AddrPort]*queue
}

// watched is a landmark of a service.
type watched struct {
	registry.HostLandmark
	problem string // the logged error of the last reading, "" = it could be read
}

// New returns a server that reports to the registry. It reads nothing until
// Configure is called.
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

// Configure sets the registry's policies, together with the first reading of their
// host landmarks, so that no verdict of a policy lacks one. From then on the server
// reads these landmarks. It may be called at any time.
func (s *Server) Configure(policies map[string]registry.Policy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	watched, interval := s.landmarksOf(policies)
	queues := s.queuesOf(watched)
	if interval > 0 && s.interval.Load() == 0 {
		s.registry.Clock().AddSource() // before the first report, which ages from then on
	}
	s.watched, s.queues = watched, queues
	readAt, facts := s.read()
	reports := make(map[string]registry.HostReport, len(facts))
	for name, facts := range facts {
		reports[name] = registry.HostReport{Facts: facts, Age: s.now() - readAt}
	}
	s.registry.Configure(policies, reports)
	s.readAt.Store(int64(readAt))
	if s.interval.Swap(int64(interval)) > 0 && interval == 0 {
		s.registry.Clock().RemoveSource()
	}
	s.readNow()
}

// landmarksOf returns the host landmarks of the policies, and the interval at which
// to read them. It keeps the state of landmarks that are watched already.
func (s *Server) landmarksOf(policies map[string]registry.Policy) (all map[string][]*watched, interval time.Duration) {
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
			if own := intervalOf(l); interval == 0 || own < interval {
				interval = own
			}
		}
	}
	return all, interval
}

// queuesOf returns the queues of the landmarks, by the address that they listen on.
// It keeps the state of an address that is watched already, by whichever landmark: a
// new Within must not make the connections that wait there new.
func (s *Server) queuesOf(all map[string][]*watched) map[netip.AddrPort]*queue {
	queues := make(map[netip.AddrPort]*queue)
	for _, landmarks := range all {
		for _, w := range landmarks {
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

// intervalOf returns how often the landmark is read.
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

// Run reads the host until ctx is done, and returns nil. The registry keeps the last
// report.
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
		if next := s.report(); next > 0 {
			timer.Reset(next)
		} else {
			timer.Stop()
		}
	}
}

// report reads the host and reports to the registry. It returns the time until the
// next reading, or 0 if there is nothing to read.
func (s *Server) report() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := time.Duration(s.interval.Load())
	if next == 0 {
		return 0
	}
	readAt, facts := s.read()
	for name, facts := range facts {
		s.registry.ReportHost(name, registry.HostReport{Facts: facts, Age: s.now() - readAt})
	}
	s.readAt.Store(int64(readAt))
	for _, q := range s.queues {
		if d := q.recheckIn(s.now()); d > 0 {
			next = min(next, d)
		}
	}
	return next
}

// read reads all watched landmarks. It returns when it began, and the facts by
// service.
func (s *Server) read() (readAt time.Duration, facts map[string][]registry.Fact) {
	readAt = s.now()
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
	return readAt, facts
}

// log logs that a landmark cannot be read, once for each error, and that it can be
// read again.
func (s *Server) log(service string, w *watched, err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	switch {
	case problem == w.problem:
	case err != nil:
		s.logger.Warn("a landmark of the host cannot be read", "service", service, "landmark", w.Name, "err", err)
	default:
		s.logger.Info("a landmark of the host can be read again", "service", service, "landmark", w.Name)
	}
	w.problem = problem
}

// CaughtUp reports whether the registry's report of the host is current. If it is
// not, CaughtUp requests a reading at once. It is safe for concurrent use, and may be
// called before Run.
func (s *Server) CaughtUp() bool {
	if s.interval.Load() == 0 || s.now()-time.Duration(s.readAt.Load()) < freshFor {
		return true
	}
	s.readNow()
	return false
}

// readNow requests a reading at once.
func (s *Server) readNow() {
	select {
	case s.wake <- struct{}{}:
	default: // one is requested already
	}
}

// now returns the time since the origin.
func (s *Server) now() time.Duration { return time.Since(s.origin) }

// Close closes the netlink sockets that Configure opened. Only a server that is not
// run needs it: Run closes them when it returns. It returns nil.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.route.close()
	s.diag.close()
	return nil
}
