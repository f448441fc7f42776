package host

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/registry"
)

const (
	// How often the host is read. It is often enough for a balancer to act in time,
	// and for the age of a queue's oldest connection.
	addressInterval = 200 * time.Millisecond
	listenInterval  = 100 * time.Millisecond
	queueInterval   = 250 * time.Millisecond // or a quarter of the Within, if that is shorter
	probeInterval   = 250 * time.Millisecond // only says that the host is read; a result is reported at once
	minInterval     = 25 * time.Millisecond
	// freshFor is how long after its start a reading counts as current. It is shorter
	// than any pause that the clock counts as one.
	freshFor = 25 * time.Millisecond
)

// Prober makes the active checks, whose results are landmarks of the host like those
// that are read from the kernel. Its methods are safe for concurrent use.
type Prober interface {
	// Prepare starts new checks, by service. They take effect when the caller calls
	// apply.
	Prepare(checks map[string]*probe.Check) (apply func())
	// Read returns the fact of the service's check, with its age at the time now, and
	// whether it is met by a check that is overdue.
	Read(service string, now time.Time) (fact registry.Fact, overdue bool)
	// Finished returns a channel of the services whose check has ended.
	Finished() <-chan string
}

// Config configures a Server.
type Config struct {
	Registry *registry.Registry
	Prober   Prober
	Logger   *slog.Logger
}

// Server reads the host and reports to the registry.
type Server struct {
	registry *registry.Registry
	prober   Prober
	logger   *slog.Logger
	origin   time.Time
	wake     chan struct{} // holds a token while a reading is requested
	readAt   atomic.Int64  // when the last reported reading began, in ns since origin
	interval atomic.Int64  // between readings, in ns; 0 = there is nothing to read

	mu          sync.Mutex // guards what follows, and spans a reading and its report
	route, diag *netlink
	watched     map[string][]*watched // by service
	queues      map[netip.AddrPort]*queue
	// receiveQueues are those of UDP ports.
	receiveQueues map[netip.AddrPort]*receiveQueue
}

// watched is a landmark of a service.
type watched struct {
	registry.HostLandmark
	problem string // the logged error of the last reading, "" = it could be read
}

// New returns a server that reports to the registry. It reads nothing until
// Configure is called.
func New(c Config) *Server {
	return &Server{
		registry: c.Registry,
		prober:   c.Prober,
		logger:   c.Logger,
		origin:   time.Now(),
		wake:     make(chan struct{}, 1),
		route:    newNetlink(unix.NETLINK_ROUTE),
		diag:     newNetlink(unix.NETLINK_SOCK_DIAG),
	}
}

// Configure sets the registry's policies, together with the first reading of their
// host landmarks, so that no verdict of a policy lacks one. Only an active check may
// not have ended yet, if the program is slow or the server does not run. From then on
// the server reads these landmarks. It may be called at any time, by one goroutine at
// once.
func (s *Server) Configure(policies map[string]registry.Policy) {
	apply := s.prober.Prepare(checksOf(policies))
	s.mu.Lock()
	defer s.mu.Unlock()
	apply()
	watched, interval := s.landmarksOf(policies)
	queues := queuesOf(watched, false, s.queues, func(q *queue) *time.Duration { return &q.within })
	receiveQueues := queuesOf(watched, true, s.receiveQueues, func(q *receiveQueue) *time.Duration { return &q.within })
	if interval > 0 && s.interval.Load() == 0 {
		s.registry.Clock().AddSource() // before the first report, which ages from then on
	}
	s.watched, s.queues, s.receiveQueues = watched, queues, receiveQueues
	readAt, reports := s.read(maps.Keys(watched))
	s.registry.Configure(policies, reports)
	s.readAt.Store(int64(readAt))
	if s.interval.Swap(int64(interval)) > 0 && interval == 0 {
		s.registry.Clock().RemoveSource()
	}
	s.readNow()
}

// checksOf returns the active checks of the policies, by service.
func checksOf(policies map[string]registry.Policy) map[string]*probe.Check {
	checks := make(map[string]*probe.Check)
	for name, p := range policies {
		for _, l := range p.Host {
			if l.Probe != nil {
				checks[name] = l.Probe
			}
		}
	}
	return checks
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

// queuesOf returns the queues of the landmarks, of UDP or of TCP, by the address at
// which they are. It keeps the state of an address that is watched already, by
// whichever landmark: a new Within must not make what waits there new. within returns
// where a queue has the strictest Within.
func queuesOf[Q any](all map[string][]*watched, udp bool, before map[netip.AddrPort]*Q, within func(*Q) *time.Duration) map[netip.AddrPort]*Q {
	queues := make(map[netip.AddrPort]*Q)
	for _, landmarks := range all {
		for _, w := range landmarks {
			if w.Kind != judge.KindDeadline || w.UDP != udp {
				continue
			}
			q := queues[w.Port]
			if q == nil {
				if q = before[w.Port]; q == nil {
					q = new(Q)
				}
				queues[w.Port], *within(q) = q, w.Within
			}
			*within(q) = min(*within(q), w.Within)
		}
	}
	return queues
}

// intervalOf returns how often the landmark is read.
func intervalOf(l registry.HostLandmark) time.Duration {
	switch {
	case l.Probe != nil:
		return probeInterval
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
		case name := <-s.prober.Finished():
			s.reportService(name)
			continue
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
	readAt, reports := s.read(maps.Keys(s.watched))
	for name, r := range reports {
		s.registry.ReportHost(name, r)
	}
	s.readAt.Store(int64(readAt))
	for _, q := range s.queues {
		if d := q.recheckIn(s.now()); d > 0 {
			next = min(next, d)
		}
	}
	for _, q := range s.receiveQueues {
		if d := q.recheckIn(s.now()); d > 0 {
			next = min(next, d)
		}
	}
	return next
}

// reportService reads the landmarks of one service and reports to the registry.
func (s *Server) reportService(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watched[name] == nil {
		return
	}
	_, reports := s.read(slices.Values([]string{name}))
	s.registry.ReportHost(name, reports[name])
}

// read reads the watched landmarks of the services. It returns when it began, and the
// reports by service.
func (s *Server) read(services iter.Seq[string]) (readAt time.Duration, reports map[string]registry.HostReport) {
	_, instant := s.registry.Clock().Read()
	readAt = s.now() // after it, so that a pause in between makes nothing younger
	v := &view{
		route: s.route, diag: s.diag, now: s.now, readAt: readAt,
		listeners: make(map[uint16]*cached[[]listener]), queues: s.queues, counted: make(map[netip.AddrPort]*cached[[]listener]),
		udp: make(map[uint16]*cached[[]listener]), receiveQueues: s.receiveQueues, received: make(map[netip.AddrPort]*cached[[]listener]),
	}
	reports = make(map[string]registry.HostReport)
	for name := range services {
		report := registry.HostReport{ReadAt: instant}
		for _, w := range s.watched[name] {
			fact, overdue := s.readLandmark(v, name, w)
			report.Facts = append(report.Facts, fact)
			report.Overdue = report.Overdue || overdue
		}
		reports[name] = report
	}
	return readAt, reports
}

// readLandmark reads one landmark, and whether it is met by an active check that is
// overdue.
func (s *Server) readLandmark(v *view, service string, w *watched) (fact registry.Fact, overdue bool) {
	if w.Probe != nil {
		var failed error
		if fact, overdue = s.prober.Read(service, s.origin.Add(v.readAt)); fact.Unreadable {
			failed = errors.New(fact.Reason)
		}
		s.log(service, w, failed)
		return fact, overdue
	}
	fact, err := v.check(&w.HostLandmark)
	if err != nil {
		fact = registry.Fact{Reached: true, Unreadable: true, Reason: err.Error()}
	}
	s.log(service, w, err)
	return fact, false
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
