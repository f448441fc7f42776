package sdnotify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/pidfd"
	"github.com/landmark-health/landmark/internal/quota"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sdnotify"
	"github.com/landmark-health/landmark/internal/socket"
)

// Config configures a Server.
type Config struct {
	Registry *registry.Registry
	// Socket is the path of the socket that all services share; "" = there is none.
	Socket string
	// File is the path of the file from which the next landmarkd knows what the
	// processes have said; "" = there is none, and a restart forgets it.
	File string
	// Processes is how many processes may report, and PerUser how many of one user
	// other than root and landmarkd's own.
	Processes, PerUser int
	Logger             *slog.Logger
}

// Service is what is configured of a service.
type Service struct {
	Socket   string        // the path of its own socket; "" = it has none
	Watchdog time.Duration // the timeout of the watchdog of programs that do not say; 0 = none
}

// Server receives notifications. New makes it.
type Server struct {
	config    Config
	exits     *pidfd.Watcher
	limiter   *limiter
	logLimit  *socket.LogLimit
	file      *file
	landmarks quota.Counter // that processes have declared
	stopping  atomic.Bool
	readStat  func(pid int) (procStat, error) // tests replace it

	replacing sync.Mutex // a process is replaced by another; before the mu of both

	services  atomic.Pointer[map[string]Service]
	receivers atomic.Pointer[[]*receiver]

	mu        sync.Mutex
	running   context.Context      // of Run, nil before; guarded by mu
	group     *errgroup.Group      // of Run; guarded by mu
	shared    *receiver            // nil if there is none
	own       map[string]*receiver // by service; guarded by mu
	processes map[key]*process     // guarded by mu
	added     uint64               // how many were ever added; guarded by mu
	total     int                  // how many processes are known, or just being added; guarded by mu
	byUser    map[uint32]int       // the same of each user; guarded by mu
	speakers  []speaker            // the oldest first; guarded by mu
}

// New binds the shared socket.
func New(c Config) (*Server, error) {
	exits, err := pidfd.New()
	if err != nil {
		return nil, fmt.Errorf("watching processes: %w", err)
	}
	s := &Server{
		config: c, exits: exits, limiter: newLimiter(), logLimit: socket.NewLogLimit(c.Logger), readStat: readStat,
		own: make(map[string]*receiver), processes: make(map[key]*process), byUser: make(map[uint32]int),
	}
	s.file = newFile(c.File, c.Logger)
	s.services.Store(&map[string]Service{})
	if c.Socket != "" {
		if s.shared, err = newReceiver(s, "", c.Socket); err != nil {
			exits.Close()
			return nil, err
		}
	}
	s.setReceivers()
	return s, nil
}

// Configure sets what is configured of the services, by name. It binds the sockets that
// are new, and closes those that are gone. If it returns an error, it has changed
// nothing.
func (s *Server) Configure(services map[string]Service) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	added := make(map[string]*receiver)
	for name, service := range services {
		if before := s.own[name]; service.Socket == "" || before != nil && before.path == service.Socket {
			continue
		}
		err := s.checkFree(service.Socket)
		var r *receiver
		if err == nil {
			r, err = newReceiver(s, name, service.Socket)
		}
		if err != nil {
			for _, r := range added {
				r.datagrams.Close()
			}
			return fmt.Errorf("services.%s.notify_socket: %w", name, err)
		}
		added[name] = r
	}
	for name, r := range s.own {
		if services[name].Socket != r.path {
			r.close()
			delete(s.own, name)
		}
	}
	maps.Copy(s.own, added)
	s.services.Store(&services)
	s.setReceivers()
	if s.running != nil {
		for _, r := range added {
			s.group.Go(func() error { return r.run(s.running) })
		}
	}
	return nil
}

// checkFree returns an error if the path is that of a socket that is bound now. The caller
// holds mu.
func (s *Server) checkFree(path string) error {
	for name, r := range s.own {
		if r.path == path {
			return fmt.Errorf("%s is the socket of the service %s: remove it there, reload, then give it to another service and reload again", path, name)
		}
	}
	return nil
}

// setReceivers stores the list of all receivers. The caller holds mu, or is New.
func (s *Server) setReceivers() {
	var all []*receiver
	if s.shared != nil {
		all = append(all, s.shared)
	}
	for _, r := range s.own {
		all = append(all, r)
	}
	s.receivers.Store(&all)
}

// Run restores the processes of the landmarkd before this one, and receives
// notifications until ctx is done. Then it handles those that are in the sockets,
// closes these and returns nil. That changes nothing in the registry.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	// The watcher ends after the receivers, which may begin a session until then.
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan error, 1)
	go func() { watched <- s.exits.Run(watching) }()
	s.restore()
	s.file.save(s.saved) // for appending
	s.mu.Lock()
	s.running, s.group = ctx, group
	for _, r := range *s.receivers.Load() {
		group.Go(func() error { return r.run(ctx) })
	}
	s.mu.Unlock()
	group.Go(func() error { return s.file.run(ctx, s.saved) })
	group.Go(func() error {
		<-ctx.Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running = nil // Configure starts no receiver any more
		return nil
	})
	err := group.Wait()
	s.stop()
	stopWatching()
	err = errors.Join(err, <-watched)
	s.file.finish(s.saved)
	return err
}

// stop ends the watch over all processes, without a word to the registry: that
// landmarkd stops says nothing of them.
func (s *Server) stop() {
	s.stopping.Store(true)
	for _, p := range s.all() {
		p.stop()
	}
}

// Close closes what New and Configure opened. Only a Server that is not run needs it.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exits.Close()
	for _, r := range *s.receivers.Load() {
		r.datagrams.Close()
	}
	return nil
}

// now returns the present instant of the registry's clock.
func (s *Server) now() judge.Instant {
	_, real := s.config.Registry.Clock().Read()
	return real
}

// watchdogOf returns the configured timeout of the service's watchdog, 0 if there is
// none.
func (s *Server) watchdogOf(service string) time.Duration {
	return (*s.services.Load())[service].Watchdog
}

// changed says that the file has processes that are gone.
func (s *Server) changed() { s.file.change() }

// caughtUp reports whether all notifications are handled that were sent before the
// call.
func (s *Server) caughtUp() bool {
	for _, r := range *s.receivers.Load() {
		if !r.empty() {
			return false
		}
	}
	return true
}

// Turn returns once the loops that receive notifications have turned. It shows that they
// work. The error is ctx's. Call it while Run runs, and only once at a time.
func (s *Server) Turn(ctx context.Context) error {
	var turning errgroup.Group
	for _, r := range *s.receivers.Load() {
		turning.Go(func() error { return r.turn(ctx) })
	}
	return turning.Wait()
}

// receive handles one datagram.
func (s *Server) receive(r *receiver, d *sdnotify.Datagram) {
	from := senderOf(d.UID, d.PID)
	if taken, log := s.limiter.take(from, 1, time.Now()); !taken {
		s.logDropped(d, log)
		return
	}
	service, err := s.handle(r, d, from)
	if err == nil || errors.Is(err, errDropped) {
		return
	}
	if service == "" {
		service = "-" // no service can have this name, so the limit counts these lines by user
	}
	logger := s.config.Logger.With("pid", d.PID, "uid", d.UID)
	if service != "-" {
		logger = logger.With("service", service)
	}
	s.logLimit.Logger(logger, d.UID, service).Warn("notification ignored", "why", err)
}

// logDropped logs that the sender's datagrams are dropped, if it must be logged now.
func (s *Server) logDropped(d *sdnotify.Datagram, log bool) {
	if log {
		s.config.Logger.Warn("notifications arrive faster than they may be handled, and some are dropped: let the programs of the user send less often", "uid", d.UID, "pid", d.PID)
	}
}

// handle handles one datagram that the sender may send, and returns the service that it
// names.
func (s *Server) handle(r *receiver, d *sdnotify.Datagram, from sender) (service string, err error) {
	if d.Truncated {
		return r.service, fmt.Errorf("it is longer than %d bytes", sdnotify.MaxMessage)
	}
	m, err := sdnotify.Parse(d.Data)
	if err != nil {
		return r.service, err
	}
	if m.Barrier {
		return r.service, nil // its descriptor is closed once this returns
	}
	switch service = m.Service; {
	case r.service != "" && service != "" && service != r.service:
		return r.service, fmt.Errorf("it is for the service %s, and came to the socket of %s", service, r.service)
	case r.service != "":
		service = r.service
	case service == "" && m.Problem != nil:
		return "", m.Problem
	case service == "":
		return "", errors.New("it names no service: send X_LANDMARK_SERVICE=, or give the service a notify_socket: in landmarkd's configuration")
	}
	if d.PID == 0 {
		return service, errInvisible
	}
	p, err := s.processOf(service, &m, d)
	if err != nil {
		return service, err
	}
	if p.pid != d.PID {
		p.speaker.Store(int64(d.PID))
		if m.MainPID != p.pid {
			dropWatchdog(&m, p.pid)
		}
	}
	at := s.now() // in this order: a pause between the two does not make it newer
	return service, p.receive(&m, at.Add(-d.Age()), from)
}
