// Package frontendtest is what the front ends' tests share: a registry with a
// running clock, a process that reports to it, and a gRPC server in memory.
package frontendtest

import (
	"log/slog"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// NewRegistry returns a registry whose clock runs until the test ends.
func NewRegistry(t testing.TB, startGrace time.Duration) *registry.Registry {
	c := clock.New()
	go c.Run(t.Context(), func() bool { return true })
	return registry.New(c, startGrace)
}

// NewTracker returns a tracker of checkers that logs nothing.
func NewTracker() *checkers.Tracker {
	start := time.Now()
	return checkers.New(slog.New(slog.DiscardHandler), func() time.Duration { return time.Since(start) })
}

// Within is the limit of a process's main loop.
const Within = 2 * time.Second

// Process is one process of a service, as far as its sidecar knows it.
type Process struct {
	Session  *registry.Session
	Commands chan uint64 // receives the get-state commands sent to the process
	t        testing.TB
}

// NewProcess connects a process that has not reported yet. Without landmarks it
// has a main loop.
func NewProcess(t testing.TB, r *registry.Registry, service string, landmarks ...judge.Declared) *Process {
	t.Helper()
	if len(landmarks) == 0 {
		landmarks = []judge.Declared{{Name: "main loop", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: Within}}
	}
	return NewInstance(t, r, service, "a", landmarks...)
}

// NewInstance is NewProcess for a service of several processes.
func NewInstance(t testing.TB, r *registry.Registry, service, instance string, landmarks ...judge.Declared) *Process {
	t.Helper()
	p := &Process{Commands: make(chan uint64, 100), t: t}
	var err error
	if p.Session, err = r.Open(registry.AgentID{Service: service, Instance: instance, UID: 1}, p); err != nil {
		t.Fatal(err)
	}
	if err := p.Session.Declare(landmarks); err != nil {
		t.Fatal(err)
	}
	return p
}

// GetState implements registry.Link.
func (p *Process) GetState(number uint64) { p.Commands <- number }

// End implements registry.Link.
func (p *Process) End(err error) { p.t.Errorf("the session was ended: %v", err) }

// CaughtUp implements registry.Link.
func (p *Process) CaughtUp() bool { return true }

// HasEnded implements registry.Link.
func (p *Process) HasEnded() bool { return false }

// Report reports the landmarks' facts.
func (p *Process) Report(facts ...registry.Fact) {
	p.t.Helper()
	p.AnswerCommand(0, facts...)
}

// AnswerCommand reports the landmarks' facts as the answer to a get-state
// command.
func (p *Process) AnswerCommand(number uint64, facts ...registry.Fact) {
	p.t.Helper()
	if err := p.Session.Report(facts, number); err != nil {
		p.t.Error(err)
	}
}

// Start reports a main loop that has not answered yet.
func (p *Process) Start() { p.Report(registry.Fact{}) }

// Work reports a main loop that has just answered.
func (p *Process) Work() { p.Report(registry.Fact{Reached: true}) }

// Lag reports a main loop that answers, but late.
func (p *Process) Lag(lag time.Duration) { p.Report(registry.Fact{Reached: true, Lag: lag}) }

// Stall reports a main loop that has stopped answering.
func (p *Process) Stall() { p.Report(registry.Fact{Reached: true, Open: true, Age: Within + 1}) }
