package line

import (
	"bufio"
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a server over a registry, in fake time.
type fixture struct {
	*Server
	t        *testing.T
	registry *registry.Registry
	checkers *checkers.Tracker
	process  *process // of the service "epg"
	ctx      context.Context
	stop     context.CancelFunc
}

// inBubble runs a test over net.Pipe, where a write blocks until it is read.
func inBubble(t *testing.T, startGrace time.Duration, test func(*testing.T, *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r, c := frontendtest.NewRegistry(t, startGrace), frontendtest.NewTracker()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		test(t, &fixture{New(Config{Source: r, Checkers: c}), t, r, c, newProcess(t, r, "epg"), ctx, stop})
	})
}

// client is a connected client.
type client struct {
	net.Conn
	t       *testing.T
	answers *bufio.Reader
	done    chan struct{} // closed when the server has closed its end
}

func (f *fixture) connect() *client {
	conn, server := net.Pipe()
	c := &client{conn, f.t, bufio.NewReader(conn), make(chan struct{})}
	go func() {
		defer close(c.done)
		f.serveConn(f.ctx, server)
	}()
	return c
}

// write sends text as it is.
func (c *client) write(text string) {
	c.t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next line, without its newline.
func (c *client) read() string {
	c.t.Helper()
	line, err := c.answers.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%q, %v", line, err)
	}
	return line[:len(line)-1]
}

// request sends a line and returns the answer.
func (c *client) request(line string) string {
	c.t.Helper()
	c.write(line + "\n")
	return c.read()
}

// wantClosedAfter checks that the server closes the connection after exactly that
// time.
func (c *client) wantClosedAfter(want time.Duration) {
	c.t.Helper()
	start := time.Now()
	<-c.done
	if took := time.Since(start); took != want {
		c.t.Errorf("closed after %v, want %v", took, want)
	}
}

// disconnect closes the connection and waits for the server to close its end.
func (c *client) disconnect() {
	c.Close()
	<-c.done
}

// process has a main loop, a queue and an upstream. It reports all three facts
// each time.
type process struct {
	*frontendtest.Process
	facts []registry.Fact
}

const (
	loopFact = iota
	queueFact
	upstreamFact
)

// newProcess connects a process that has reported that it is healthy.
func newProcess(t *testing.T, r *registry.Registry, service string) *process {
	t.Helper()
	p := &process{
		Process: frontendtest.NewProcess(t, r, service,
			judge.Declared{Name: "main loop", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: frontendtest.Within},
			judge.Declared{Name: "queue", Kind: judge.KindLevel, Impact: judge.ImpactDegrading, Limits: judge.Limits{DegradeAt: 100, FailAt: 200}},
			judge.Declared{Name: "UPSTREAM", Kind: judge.KindCondition, Impact: judge.ImpactReadiness},
		),
		facts: []registry.Fact{{Reached: true}, {Reached: true}, {Reached: true, Met: true}},
	}
	p.report()
	return p
}

func (p *process) report() { p.Report(p.facts...) }

// stall reports a main loop that has stopped answering.
func (p *process) stall() {
	p.facts[loopFact] = registry.Fact{Reached: true, Open: true, Age: frontendtest.Within + time.Second}
	p.report()
}

// work reports a main loop that has just answered.
func (p *process) work() {
	p.facts[loopFact] = registry.Fact{Reached: true}
	p.report()
}

// fill reports the length of the queue.
func (p *process) fill(length float64) {
	p.facts[queueFact].Value = length
	p.report()
}

// loseUpstream reports an upstream that does not hold, for the reason.
func (p *process) loseUpstream(reason string) {
	p.facts[upstreamFact] = registry.Fact{Reached: true, Reason: reason}
	p.report()
}

// drain reports whether the process wants to be drained.
func (p *process) drain(wanted bool) {
	p.Session.Drain(wanted)
	p.report()
}
