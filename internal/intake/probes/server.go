package probes

import (
	"context"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/registry"
)

// firstResult is how long Prepare waits for the first results of new checks.
const firstResult = time.Second

// Config configures a Server.
type Config struct {
	// Awake returns for how long landmarkd has run, without pauses.
	Awake func() time.Duration
	// Checked receives the result of each check; nil = none does. It must not block.
	Checked func(service string, o probe.Outcome)
}

// Server makes the checks of all services.
type Server struct {
	config   Config
	dial     dialFunc
	finished chan string // services whose check has ended
	running  sync.WaitGroup

	mu      sync.Mutex         // guards what follows
	ctx     context.Context    // of Run, nil while it does not run
	current map[string]*prober // by service; of the configuration in effect
}

// New returns a server without checks.
func New(c Config) *Server {
	if c.Checked == nil {
		c.Checked = func(string, probe.Outcome) {}
	}
	return &Server{config: c, dial: newDialer().dial, finished: make(chan string)}
}

// Run makes the checks until ctx is done, and returns nil.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	s.ctx = ctx
	for _, p := range s.current {
		s.start(p)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.ctx = nil // no prober is started from here on
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

// Finished returns a channel that receives a service's name when a check of it has
// ended. While nothing receives from it, that service is not checked again.
func (s *Server) Finished() <-chan string { return s.finished }

// Prepare starts new checks, by service, and waits a moment for their first results.
// The results of the checks before remain what Read returns until the caller calls
// apply. A check that asks the same as before keeps its result. Prepare may be called
// at any time, by one goroutine at once.
func (s *Server) Prepare(checks map[string]*probe.Check) (apply func()) {
	s.mu.Lock()
	before := s.current
	s.mu.Unlock()
	next := make(map[string]*prober, len(checks))
	late := time.After(firstResult)
	var fresh []*prober
	for name, c := range checks {
		p := before[name]
		if p != nil && p.check.Equal(c) {
			next[name] = p
			continue
		}
		n := s.newProber(name, c)
		if p != nil {
			s.end(p) // so that there is one connection at a time
			if p.check.AsksAs(c) {
				n.last = p.result()
			}
		}
		next[name] = n
		unchecked := !n.last.series.Checked
		s.mu.Lock()
		if s.start(n) && unchecked {
			fresh = append(fresh, n)
		}
		s.mu.Unlock()
	}
	for _, p := range fresh {
		select {
		case <-p.checked:
		case <-late:
			late = nil
		}
		if late == nil {
			break
		}
	}
	return func() {
		s.mu.Lock()
		s.current = next
		for _, p := range next {
			s.start(p) // if Run was called meanwhile
		}
		s.mu.Unlock()
		for name, p := range before {
			if next[name] != p {
				s.end(p)
			}
		}
	}
}

// end ends the checks of the prober, and returns once its connection is closed.
func (s *Server) end(p *prober) {
	s.mu.Lock()
	cancel := p.cancel
	s.mu.Unlock()
	if cancel != nil {
		cancel()
		<-p.ended
	}
}

// start starts the prober, if the server runs, and reports whether it did. It does not
// start it twice. The caller holds mu.
func (s *Server) start(p *prober) bool {
	if s.ctx == nil || p.cancel != nil {
		return false
	}
	ctx, cancel := context.WithCancel(s.ctx)
	p.cancel = cancel
	s.running.Go(func() {
		defer close(p.ended)
		p.run(ctx, s.finished)
	})
	return true
}

// Read returns the fact of the service's check, with its age at the time now, and
// whether it is met by a check that should have been made again since.
func (s *Server) Read(service string, now time.Time) (fact registry.Fact, overdue bool) {
	s.mu.Lock()
	p := s.current[service]
	s.mu.Unlock()
	if p == nil {
		return registry.Fact{}, false
	}
	return p.fact(now)
}
