package recorder

import (
	"context"
	"log/slog"
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
	Epoch() uint64
	Fresh() <-chan struct{}
	Half() bool
}

// Config configures a Recorder.
type Config struct {
	// Journal takes the lines; nil = changes are only logged.
	Journal Journal
	// Logger receives each change of a verdict, up to a limit for each service.
	Logger *slog.Logger
}

// Recorder records what happens to the services of a registry. New makes it.
type Recorder struct {
	journal  Journal
	logger   *slog.Logger
	logLimit *socket.LogLimit
	period   atomic.Uint64 // of ages
}

// New returns a recorder, for registry.Record.
func New(c Config) *Recorder {
	return &Recorder{journal: c.Journal, logger: c.Logger, logLimit: socket.NewLogLimit(c.Logger)}
}

// Service implements registry.Recorder.
func (r *Recorder) Service(name string) registry.ServiceRecorder {
	return &service{recorder: r, name: name, epoch: noEpoch}
}

// noEpoch is the epoch of a service of which nothing was written.
const noEpoch = ^uint64(0)

// Services are the services of a registry.
type Services interface {
	Names() []string
	Reevaluate(name string)
}

// Run writes what is due by time alone, and full lines of all services when they are
// needed, until ctx is done. Then it writes that landmarkd stops, and returns nil. now
// returns the instant by which services are judged.
func (r *Recorder) Run(ctx context.Context, services Services, now func() judge.Instant) error {
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
			r.journal.Write(journal.Line{Type: journal.TypeStop, At: now()})
			return nil
		case <-alive.C:
			r.journal.Write(journal.Line{Type: journal.TypeAlive, At: now()})
		case <-ages.C:
			r.period.Add(1)
			r.visit(ctx, services)
		case <-r.journal.Fresh():
			r.visit(ctx, services)
		}
	}
}

// visit has each service publish its facts, and waits where the journal is behind.
func (r *Recorder) visit(ctx context.Context, services Services) {
	for _, name := range services.Names() {
		for r.journal.Half() {
			select {
			case <-ctx.Done():
				return
			case <-time.After(roomInterval):
			}
		}
		services.Reevaluate(name)
	}
}

// Reloaded records that the configuration was read. Equal files have an equal hash.
func (r *Recorder) Reloaded(file, hash string, at judge.Instant) {
	if r.journal != nil {
		r.journal.Write(journal.Line{Type: journal.TypeReload, At: at, Reload: &journal.Reload{File: file, Hash: hash}})
	}
}
