package probes

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sleep"
)

// errLate is the cause of a context whose check has no time left.
var errLate = errors.New("the time for the check is over")

// prober makes the check of one service.
type prober struct {
	service string
	check   *probe.Check
	awake   func() time.Duration
	record  func(service string, o probe.Outcome)
	dial    dialFunc
	buf     []byte        // for what is received
	checked chan struct{} // closed after the first check
	cancel  func()        // ends run; nil = it was not started; guarded by Server.mu
	ended   chan struct{} // closed when run has ended

	mu   sync.Mutex // guards what follows
	last result
}

// result is what the checks until now say.
type result struct {
	series probe.Series
	began  time.Time // the last check that has ended
}

func (s *Server) newProber(service string, c *probe.Check) *prober {
	return &prober{
		service: service, check: c, awake: s.config.Awake, record: s.config.Checked, dial: s.dial,
		buf: make([]byte, probe.MaxReceived), checked: make(chan struct{}), ended: make(chan struct{}),
	}
}

// run makes checks until ctx is done, and sends the service to finished after each.
func (p *prober) run(ctx context.Context, finished chan<- string) {
	for first := true; ; first = false {
		began := time.Now()
		outcome := p.once(ctx)
		if ctx.Err() != nil {
			return // how the check ended says nothing about the program
		}
		p.mu.Lock()
		p.last = result{p.last.series.Add(p.check, outcome), began}
		p.mu.Unlock()
		p.record(p.service, outcome)
		if first {
			close(p.checked)
		}
		select {
		case finished <- p.service:
		case <-ctx.Done():
			return
		}
		if !sleep.For(ctx, time.Until(began.Add(p.check.Every))) {
			return
		}
	}
}

// once makes one check.
func (p *prober) once(ctx context.Context) probe.Outcome {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began := p.awake()
	var timer *time.Timer
	timer = time.AfterFunc(time.Hour, func() {
		if left := p.check.Within - (p.awake() - began); left > 0 {
			timer.Reset(left) // landmarkd was paused
			return
		}
		cancel(errLate)
	})
	timer.Reset(p.check.Within)
	defer timer.Stop()
	err := p.converse(ctx)
	outcome := probe.Outcome{Took: max(p.awake()-began, 1), Err: err}
	if own := new(ownError); errors.As(err, &own) {
		outcome.Own = true
	}
	return outcome
}

func (p *prober) result() result {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// fact returns the fact of the check at the time now, and whether it holds and is
// overdue.
func (p *prober) fact(now time.Time) (fact registry.Fact, overdue bool) {
	last := p.result()
	if !last.series.Checked {
		return registry.Fact{}, false
	}
	due := last.began.Add(p.check.Every)
	return registry.Fact{
		Reached:    true,
		Age:        now.Sub(last.began),
		Value:      last.series.Took.Seconds(),
		Met:        last.series.Holds,
		Unreadable: last.series.Own,
		Reason:     last.series.Reason,
	}, last.series.Holds && time.Now().After(due)
}
