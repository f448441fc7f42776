package recorder

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/logtest"
	"github.com/landmark-health/landmark/internal/registry"
)

type link struct{}

func (link) GetState(uint64) {}
func (link) End(error)       {}
func (link) CaughtUp() bool  { return true }
func (link) HasEnded() bool  { return false }

// program reports one main loop.
type program struct {
	session *registry.Session
	count   uint64
}

// inBubble runs f under fake time, with a program that has a Loop of 1 s.
func inBubble(t *testing.T, f func(t *testing.T, m *memory, log *logtest.Buffer, r *registry.Registry, p *program)) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = c.Run(ctx, func() bool { return true }) })
		c.AddSource()
		m, log := new(memory), new(logtest.Buffer)
		rec := New(Config{Journal: m, Logger: slog.New(slog.NewTextHandler(log, nil)), Now: c.Judged})
		r := registry.New(c, 0)
		r.SetRecorder(rec)
		running.Go(func() { _ = rec.Run(ctx, r) })
		s, err := r.Open(registry.AgentID{Service: "epg", Instance: "a"}, link{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Declare([]judge.Declared{{Name: "main loop", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: time.Second}}); err != nil {
			t.Fatal(err)
		}
		p := &program{session: s}
		p.answer(t, 0)
		f(t, m, log, r, p)
		s.Goodbye()
		cancel()
		running.Wait()
	})
}

// answer reports that the loop has answered, so long ago.
func (p *program) answer(t *testing.T, age time.Duration) {
	t.Helper()
	p.count++
	if err := p.session.Report([]registry.Fact{{Reached: true, Count: p.count, Age: age}}, 0); err != nil {
		t.Fatal(err)
	}
}

// hang reports that a command is open, and the last answer so old.
func (p *program) hang(t *testing.T, age time.Duration) {
	t.Helper()
	if err := p.session.Report([]registry.Fact{{Reached: true, Count: p.count, Open: true, Age: age}}, 0); err != nil {
		t.Fatal(err)
	}
}
