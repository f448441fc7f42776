package line

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble is a server over a registry, in fake time.
type bubble struct {
	*Server
	t        *testing.T
	registry *registry.Registry
	program  *program // of the service "epg"
	ctx      context.Context
	stop     context.CancelFunc
}

// inBubble runs the test over net.Pipe, where what is written waits until it is
// read.
func inBubble(t *testing.T, startGrace time.Duration, test func(*testing.T, *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		clock := clock.New()
		r := registry.New(clock, startGrace)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go clock.Run(ctx, func() bool { return true })
		test(t, &bubble{New(r, newMemory()), t, r, newProgram(t, r, "epg"), ctx, stop})
	})
}

// newMemory returns a memory of checkers.
func newMemory() *checkers.Tracker {
	begun := time.Now()
	return checkers.New(slog.New(slog.DiscardHandler), func() time.Duration { return time.Since(begun) })
}

// checker is a client of the bubble's.
type checker struct {
	net.Conn
	t       *testing.T
	answers *bufio.Reader
	done    chan struct{} // closed once the server has done with it
}

// connect connects a checker.
func (b *bubble) connect() *checker {
	conn, server := net.Pipe()
	a := &checker{conn, b.t, bufio.NewReader(conn), make(chan struct{})}
	go func() {
		defer close(a.done)
		b.serve(b.ctx, server)
	}()
	return a
}

// write sends text, which may have no end yet.
func (a *checker) write(text string) {
	a.t.Helper()
	if _, err := a.Write([]byte(text)); err != nil {
		a.t.Fatal(err)
	}
}

// read returns the next line, without its newline.
func (a *checker) read() string {
	a.t.Helper()
	line, err := a.answers.ReadString('\n')
	if err != nil {
		a.t.Fatalf("%q, %v", line, err)
	}
	return line[:len(line)-1]
}

// ask asks a line and returns the answer.
func (a *checker) ask(line string) string {
	a.t.Helper()
	a.write(line + "\n")
	return a.read()
}

// closedAfter checks that the server ends the connection in exactly that time.
func (a *checker) closedAfter(want time.Duration) {
	a.t.Helper()
	begun := time.Now()
	<-a.done
	if took := time.Since(begun); took != want {
		a.t.Errorf("closed after %v, want %v", took, want)
	}
}

// leave closes the connection and waits until the server has seen it.
func (a *checker) leave() {
	a.Close()
	<-a.done
}

// within is what the program's main loop is allowed.
const within = 2 * time.Second

// program has a main loop, a queue and an upstream, as far as its sidecar knows.
type program struct {
	t       *testing.T
	session *registry.Session
	facts   []registry.Fact
}

const (
	theLoop = iota
	theQueue
	theUpstream
)

func newProgram(t *testing.T, r *registry.Registry, service string) *program {
	t.Helper()
	p := &program{t: t}
	var err error
	p.session, err = r.Open(registry.AgentID{Service: service, Instance: "a", UID: 1}, p)
	if err != nil {
		t.Fatal(err)
	}
	err = p.session.Declare([]judge.Declared{
		{Name: "main loop", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: within},
		{Name: "queue", Kind: judge.KindLevel, Impact: judge.ImpactDegrading, Limits: judge.Limits{DegradeAt: 100, FailAt: 200}},
		{Name: "UPSTREAM", Kind: judge.KindCondition, Impact: judge.ImpactReadiness},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.facts = []registry.Fact{{Reached: true}, {Reached: true}, {Reached: true, Met: true}}
	p.report()
	return p
}

// GetState implements registry.Link.
func (p *program) GetState(uint64) {}

// End implements registry.Link.
func (p *program) End(err error) { p.t.Errorf("session ended: %v", err) }

func (p *program) CaughtUp() bool { return true }

func (p *program) report() {
	p.t.Helper()
	if err := p.session.Report(p.facts, 0); err != nil {
		p.t.Error(err)
	}
}

// stall reports a main loop that answers no more.
func (p *program) stall() {
	p.facts[theLoop] = registry.Fact{Reached: true, Open: true, Age: within + time.Second}
	p.report()
}

// work reports a main loop that has just answered.
func (p *program) work() {
	p.facts[theLoop] = registry.Fact{Reached: true}
	p.report()
}

// fill reports a queue of that length.
func (p *program) fill(length float64) {
	p.facts[theQueue].Value = length
	p.report()
}

// lose reports that the upstream does not hold, and why.
func (p *program) lose(why string) {
	p.facts[theUpstream] = registry.Fact{Reached: true, Reason: why}
	p.report()
}

// drain reports whether it wants to be drained.
func (p *program) drain(wanted bool) {
	p.session.Drain(wanted)
	p.report()
}
