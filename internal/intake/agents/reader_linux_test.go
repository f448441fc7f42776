package agents

import (
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/hostclock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// slowConn is a connection whose Read has taken something from the socket, and does not
// return yet.
type slowConn struct {
	net.Conn
	taken, returns chan struct{}
}

func (c *slowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.taken <- struct{}{}
	<-c.returns
	return n, err
}

// From the moment when the socket may be empty until the goroutine waits again, the reader
// says that it reads: what it has read may not be passed on.
func TestReaderSaysThatItReads(t *testing.T) {
	conn, agent := pair(t, newConnections(registry.New(clock.New(), 0), slog.New(slog.DiscardHandler)))
	slow := &slowConn{conn.Conn, make(chan struct{}), make(chan struct{})}
	reader := newReader(slow, conn.raw)
	type result struct {
		n   int
		err error
	}
	results, goOn := make(chan result), make(chan struct{})
	go func() {
		for range 3 {
			if err := reader.wait(); err != nil {
				results <- result{0, err}
				return
			}
			n, err := reader.read(make([]byte, 8))
			results <- result{n, err}
			<-goOn
		}
	}()
	for range 2 {
		await(t, "it does not read while there is nothing", func() bool { return !reader.reading.Load() })
		if _, err := agent.Write([]byte("four")); err != nil {
			t.Fatal(err)
		}
		<-slow.taken
		if !conn.caughtUp() {
			t.Fatal("the socket is not empty")
		}
		if !reader.reading.Load() {
			t.Error("it takes bytes from the socket, and says that it does not read")
		}
		slow.returns <- struct{}{}
		if got := <-results; got.n != 4 || got.err != nil {
			t.Fatalf("read %d, %v", got.n, got.err)
		}
		if !reader.reading.Load() {
			t.Error("it does not wait again, and says that it does not read")
		}
		goOn <- struct{}{}
	}
	agent.Close()
	<-slow.taken
	slow.returns <- struct{}{}
	if got := <-results; got.n != 0 || got.err != io.EOF {
		t.Errorf("at the end: read %d, %v; want 0, EOF", got.n, got.err)
	}
	close(goOn)
}

// After a gap in which nobody asked, one look proves that all is handled that the process
// sent, whatever messages that were. So the answer need not wait.
func TestOneLookProvesThatAllIsHandled(t *testing.T) {
	s := newSidecar(t)
	host := hostclock.Own()
	first := hello("epg", "a")
	first.GetHello().Clock = host.Name()
	a := s.dial(first, declaration(loop("main")))
	a.welcomed()
	for range 3 {
		// The landmark may be declared again at any time.
		now := report(0, fact(0))
		now.GetReport().ReadAtUs = host.Now()
		a.send(declaration(loop("main")), now)
		s.await("epg", judge.Serving, judge.None)
		s.wantFinalAfterAGap("epg")
	}
}

// wantFinalAfterAGap fails the test unless an answer is final at once that is the first
// one after a gap in which nobody asked.
func (s *sidecar) wantFinalAfterAGap(service string) {
	s.t.Helper()
	for range 5 { // after a longer silence the clock beats
		<-time.After(2 * clock.MaxGap)
		if _, final := s.registry.Lookup([]byte(service), 0); final {
			return
		}
	}
	s.t.Error("no answer after a gap is final at once")
}

// An agent whose reports were throttled falls silent. Once all are read, one look proves
// that, as of any other.
func TestOneLookProvesThatAFloodIsRead(t *testing.T) {
	s := newSidecar(t)
	host := hostclock.Own()
	first := hello("epg", "a")
	first.GetHello().Clock = host.Name()
	a := s.dial(first, declaration(loop("main")))
	a.welcomed()
	for range reportsBurst + reportsPerSecond {
		hung := report(0, &reportv1.Fact{Reached: true, AgeUs: longAgo, Open: true})
		hung.GetReport().ReadAtUs = host.Now()
		a.send(hung)
	}
	last := report(0, fact(0))
	last.GetReport().ReadAtUs = host.Now()
	a.send(last)
	s.await("epg", judge.Serving, judge.None)
	s.wantFinalAfterAGap("epg")
}
