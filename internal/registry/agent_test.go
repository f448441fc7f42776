package registry

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// agent is a process that reports one landmark, and the Link to it.
type agent struct {
	t       testing.TB
	session *Session
	fact    Fact // of the latest report

	mu       sync.Mutex
	commands []uint64          // the numbers of the get-state commands that it received; guarded by mu
	observe  func(what string) // called with each command and with the end; may be nil

	unread atomic.Bool // something that it sent has not been read yet
	exited atomic.Bool // it has ended, which its intake has not handled
}

// mainLoop is what an agent declares unless a test says otherwise.
var mainLoop = judge.Declared{Name: "main", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: time.Second}

var (
	passed = Fact{Reached: true}
	hung   = Fact{Reached: true, Open: true, Age: time.Hour}
)

// open opens a session of an instance of the service, for uid 1000.
func open(t testing.TB, r *Registry, service, instance string) *agent {
	t.Helper()
	return openAs(t, r, AgentID{Service: service, Instance: instance, UID: 1000})
}

// openAs opens a session of the process.
func openAs(t testing.TB, r *Registry, id AgentID) *agent {
	t.Helper()
	a := &agent{t: t}
	if err := a.open(r, id, mainLoop); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *agent) open(r *Registry, id AgentID, landmarks ...judge.Declared) (err error) {
	if a.session, err = r.Open(id, a); err != nil {
		return err
	}
	return a.session.Declare(landmarks)
}

// GetState implements Link.
func (a *agent) GetState(number uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.commands = append(a.commands, number)
	if a.observe != nil {
		a.observe("get-state command")
	}
}

// CaughtUp implements Link.
func (a *agent) CaughtUp() bool { return !a.unread.Load() }

// HasEnded implements Link.
func (a *agent) HasEnded() bool { return a.exited.Load() }

// End implements Link.
func (a *agent) End(err error) {
	if a.observe != nil {
		a.observe("ended: " + err.Error())
	}
}

// commandCount returns how many get-state commands it has received, which is the
// number of the last one, too.
func (a *agent) commandCount() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.commands)
}

// report reports the fact. Unless the fact is open, that answers all commands which
// were received.
func (a *agent) report(fact Fact) error {
	a.fact = fact
	answered := uint64(a.commandCount())
	if fact.Open {
		answered = 0
	}
	return a.session.Report([]Fact{fact}, answered)
}

// mustReport is report for one that the registry must take.
func (a *agent) mustReport(fact Fact) {
	a.t.Helper()
	if err := a.report(fact); err != nil {
		a.t.Fatal(err)
	}
}

// pass reports that the landmark was reached just now.
func (a *agent) pass() {
	a.t.Helper()
	a.mustReport(passed)
}

// passFor has the agents pass for d, as often as an agent reports whose Loop has a
// Within of 1 s.
func passFor(d time.Duration, agents ...*agent) {
	const interval = 250 * time.Millisecond
	for ; d > 0; d -= interval {
		time.Sleep(min(d, interval))
		for _, a := range agents {
			a.pass()
		}
	}
}
