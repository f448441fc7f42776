package registry

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// inBubble runs f under fake time, with a registry whose clock goes on.
func inBubble(t *testing.T, startGrace time.Duration, f func(t *testing.T, r *Registry)) {
	synctest.Test(t, func(t *testing.T) {
		clock := clock.New()
		defer run(clock)()
		f(t, New(clock, startGrace))
	})
}

// run lets the clock go on until the function it returns is called.
func run(c *clock.Clock) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx, readAll) })
	return func() {
		cancel()
		running.Wait()
	}
}

// agent stands in for a process that reports one landmark, and is the link
// to it.
type agent struct {
	t       testing.TB
	session *Session
	fact    Fact

	mu       sync.Mutex
	commands []uint64 // every get-state command that was put
	ended    error
	notice   func(what string) // newAnswer of each command and of the end; may be nil

	unread atomic.Bool // something that it has sent was not read yet
}

// mainLoop is what an agent declares unless a test says otherwise.
var mainLoop = judge.Declared{Name: "main", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: time.Second}

// open begins a session of a process of the service with uid 1000.
func open(t testing.TB, r *Registry, service, instance string) *agent {
	t.Helper()
	a := &agent{t: t}
	if err := a.open(r, AgentID{Service: service, Instance: instance, UID: 1000}, mainLoop); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *agent) open(r *Registry, p AgentID, landmark judge.Declared) (err error) {
	if a.session, err = r.Open(p, a); err == nil {
		a.session.Declare([]judge.Declared{landmark})
	}
	return err
}

// GetState is a Link's.
func (a *agent) GetState(number uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.commands = append(a.commands, number)
	if a.notice != nil {
		a.notice("get-state command")
	}
}

// CaughtUp is a Link's.
func (a *agent) CaughtUp() bool { return !a.unread.Load() }

// End is a Link's.
func (a *agent) End(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = err
	if a.notice != nil {
		a.notice("ended: " + err.Error())
	}
}

// put returns how many get-state commands were put, the number of the last of
// them too.
func (a *agent) put() (commands int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.commands)
}

// report reports that the landmark is as fact says, and that the commands put
// so far are answered unless the fact says that one is open.
func (a *agent) report(fact Fact) error {
	a.fact = fact
	answered := uint64(a.put())
	if fact.Open {
		answered = 0
	}
	return a.session.Report([]Fact{fact}, answered)
}

// pass reports that the landmark was reached just now.
func (a *agent) pass() {
	a.t.Helper()
	if err := a.report(Fact{Reached: true}); err != nil {
		a.t.Fatal(err)
	}
}

// live reports well for d, as often as an agent does whose Loop is allowed 1 s.
func live(d time.Duration, agents ...*agent) {
	const every = 250 * time.Millisecond
	for ; d > 0; d -= every {
		time.Sleep(min(d, every))
		for _, a := range agents {
			a.pass()
		}
	}
}

func look(r *Registry, name string) Answer {
	a, _ := r.Lookup([]byte(name), 0)
	return a
}

// readAll is an intake that has always read everything.
func readAll() bool { return true }
