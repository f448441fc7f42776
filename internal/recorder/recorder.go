package recorder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
)

const (
	// aliveInterval is the time between two lines that say that landmarkd runs.
	aliveInterval = time.Minute
	// agesInterval is the time between two lines of ages.
	agesInterval = 5 * time.Minute
	// roomInterval is how long to wait before looking again whether the journal has room.
	roomInterval = 20 * time.Millisecond
)

// Journal takes the lines. *journal.Journal is one, and says more of the methods.
type Journal interface {
	Write(journal.Line)
	Forget(service string)
	Epoch() uint64
	NeedFull() <-chan struct{}
	HalfFull() bool
	Entries(service string, since time.Time) []journal.Entry
}

// Config configures a Recorder.
type Config struct {
	// Journal takes the lines; nil = changes are only logged.
	Journal Journal
	// Logger receives each change of a verdict, up to a limit for each service.
	Logger *slog.Logger
	// Now returns the instant by which services are judged.
	Now func() judge.Instant
}

// Recorder records what happens to the services of a registry. New makes it.
type Recorder struct {
	journal  Journal // nil = changes are only logged
	logger   *slog.Logger
	logLimit *socket.LogLimit
	now      func() judge.Instant
	period   atomic.Uint64 // of ages
	budgets  budgets

	mu       sync.Mutex
	services map[string]*service // by name; guarded by mu
}

// New returns a recorder, for registry.Registry.SetRecorder.
func New(c Config) *Recorder {
	return &Recorder{
		journal: c.Journal, logger: c.Logger, logLimit: socket.NewLogLimit(c.Logger), now: c.Now,
		services: make(map[string]*service),
	}
}

// Service implements registry.Recorder.
func (r *Recorder) Service(name string) registry.ServiceRecorder {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.add(name)
}

// add begins to record a service, of which nothing is known. The caller holds mu.
func (r *Recorder) add(name string) *service {
	s := &service{recorder: r, name: name, owner: registry.NoOwner, epoch: noEpoch}
	r.services[name] = s
	return s
}

// remove ends recording the service, which another one of the name may have replaced.
func (r *Recorder) remove(s *service) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.services[s.name] != s {
		return
	}
	delete(r.services, s.name)
	if r.journal != nil {
		r.journal.Forget(s.name)
	}
}

// noEpoch is the epoch of a service of which nothing was written.
const noEpoch = ^uint64(0)

// Services are the services of a registry.
type Services interface {
	Names() []string
	Reevaluate(name string)
}

// Run writes what is due by time alone, and full lines of all services when they are
// needed, until ctx is done. Then it writes that landmarkd stops, and returns nil.
func (r *Recorder) Run(ctx context.Context, services Services) error {
	if r.journal == nil {
		<-ctx.Done()
		return nil
	}
	alive, ages := time.NewTicker(aliveInterval), time.NewTicker(agesInterval)
	defer alive.Stop()
	defer ages.Stop()
	for {
		select {
		case <-ctx.Done():
			r.period.Add(1)
			r.visit(ctx, services)
			r.journal.Write(journal.Line{Type: journal.TypeStop, At: r.now()})
			return nil
		case <-alive.C:
			r.journal.Write(journal.Line{Type: journal.TypeAlive, At: r.now()})
		case <-ages.C:
			r.period.Add(1)
			r.visit(ctx, services)
		case <-r.journal.NeedFull():
			r.visit(ctx, services)
		}
	}
}

// visit has each service publish its facts, and waits where the journal is behind.
func (r *Recorder) visit(ctx context.Context, services Services) {
	for _, name := range services.Names() {
		for r.journal.HalfFull() {
			select {
			case <-ctx.Done():
				return
			case <-time.After(roomInterval):
			}
		}
		services.Reevaluate(name)
	}
}

// Reloaded records that the configuration was read, and that the policies are in effect.
func (r *Recorder) Reloaded(file string, policies map[string]registry.Policy) {
	if r.journal == nil {
		return
	}
	written := make(map[string]*journal.Policy, len(policies))
	for name, p := range policies {
		written[name] = journal.PolicyOf(&p)
	}
	b, err := json.Marshal(written) // sorted by name
	if err != nil {
		return // a number that is none, which the configuration refuses
	}
	hash := sha256.Sum256(b)
	r.journal.Write(journal.Line{
		Type: journal.TypeReload, At: r.now(),
		Reload: &journal.Reload{File: file, Hash: hex.EncodeToString(hash[:8])},
	})
}
