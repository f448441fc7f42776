package probes

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/probe"
)

// program is a program under fake time. Its connections are pipes.
type program struct {
	takes time.Duration // to answer; less than 0 = it never does

	mu         sync.Mutex
	open, most int             // connections
	at         []time.Duration // when they were opened, since the start
}

// connect returns a connection to the program.
func (p *program) connect(began time.Time) *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open++
	p.most = max(p.most, p.open)
	p.at = append(p.at, time.Since(began))
	client, server := net.Pipe()
	return &connection{client, server, p}
}

// connection is landmarkd's end of a connection.
type connection struct {
	net.Conn
	server  net.Conn
	program *program
}

func (c *connection) Close() error {
	c.program.mu.Lock()
	defer c.program.mu.Unlock()
	c.program.open--
	return c.Conn.Close()
}

// answer answers one connection.
func (p *program) answer(c net.Conn) {
	defer c.Close()
	c.Read(make([]byte, 9))
	if p.takes >= 0 {
		<-time.After(p.takes)
		c.Write([]byte("pong"))
	}
	c.Read(make([]byte, 9)) // until the client closes it
}

// runFor checks the programs for a time. During a part of it landmarkd is paused. It
// returns the server, whose results are those at the end.
func runFor(t *testing.T, d time.Duration, checks map[string]*probe.Check, programs map[string]*program, awake func(time.Duration) time.Duration) *Server {
	t.Helper()
	began := time.Now()
	s := New(Config{Awake: func() time.Duration { return awake(time.Since(began)) }})
	var answering sync.WaitGroup
	s.dial = func(_ context.Context, c *probe.Check) (net.Conn, error) {
		p := programs[c.Address]
		conn := p.connect(began)
		answering.Go(func() { p.answer(conn.server) })
		return conn, nil
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	running.Go(func() {
		for {
			select {
			case <-s.Finished():
			case <-ctx.Done():
				return
			}
		}
	})
	synctest.Wait() // until it runs
	s.Prepare(checks)()
	time.Sleep(d - time.Since(began))
	t.Cleanup(func() {
		stop()
		running.Wait()
		answering.Wait()
	})
	return s
}

// always is the time that landmarkd has run, if nothing pauses it.
func always(d time.Duration) time.Duration { return d }

func pingEvery(t *testing.T, address string, every, within time.Duration) *probe.Check {
	c := ping(t, probe.TCP, address)
	c.Every, c.Within = every, within
	return c
}

// A check has one connection at a time, and each check a new one, whatever the program
// does. One that hangs holds up no other, and its own next check only until it ends.
func TestChecksBeginOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const second, ms = time.Second, time.Millisecond
		programs := map[string]*program{"fast": {}, "slow": {takes: 60 * ms}, "late": {takes: 300 * ms}, "hangs": {takes: -1}}
		s := runFor(t, 1050*ms, map[string]*probe.Check{
			"fast":  pingEvery(t, "fast", 100*ms, second),
			"slow":  pingEvery(t, "slow", 100*ms, second),
			"late":  pingEvery(t, "late", 100*ms, second),
			"hangs": pingEvery(t, "hangs", 100*ms, 250*ms),
		}, programs, always)
		for name, each := range map[string]time.Duration{"fast": 100 * ms, "slow": 100 * ms, "late": 300 * ms, "hangs": 250 * ms} {
			p := programs[name]
			p.mu.Lock()
			if p.most != 1 {
				t.Errorf("%s: %d connections were open at once", name, p.most)
			}
			for i, at := range p.at {
				if at != time.Duration(i)*each {
					t.Errorf("%s: the checks began at %v, want one each %v", name, p.at, each)
					break
				}
			}
			if want := int(1050*ms/each) + 1; len(p.at) != want {
				t.Errorf("%s: %d checks in 1.05 s, want %d", name, len(p.at), want)
			}
			p.mu.Unlock()
			fact, _ := s.Read(name, time.Now())
			if fact.Met != (name != "hangs") {
				t.Errorf("%s: got %+v", name, fact)
			}
		}
		if fact, _ := s.Read("late", time.Now()); fact.Value != 0.3 || fact.Age != 450*ms { // its third check began at 600 ms and ended at 900 ms
			t.Errorf("late: got %+v, want one that took 0.3 s and began 450 ms ago", fact)
		}
	})
}

// While landmarkd is paused, no time passes for the check: what has arrived meanwhile
// counts, and the program is not late. But the result is as old as its beginning.
func TestPauseMakesNoProgramLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ms = time.Millisecond
		paused := func(d time.Duration) time.Duration { // from 10 ms to 5.01 s
			return d - max(0, min(d, 5010*ms)-10*ms)
		}
		programs := map[string]*program{"works": {takes: 5 * time.Second}, "hangs": {takes: -1}}
		began := time.Now()
		s := runFor(t, 5200*ms, map[string]*probe.Check{
			"works": pingEvery(t, "works", time.Hour, 100*ms),
			"hangs": pingEvery(t, "hangs", time.Hour, 100*ms),
		}, programs, paused)
		if fact, overdue := s.Read("works", time.Now()); !fact.Met || fact.Age != time.Since(began) || fact.Value > 0.1 || overdue {
			t.Errorf("got %+v, overdue %v; want one that holds, and is as old as its beginning", fact, overdue)
		}
		fact, _ := s.Read("hangs", time.Now())
		if fact.Met || fact.Reason != `step 2: no answer within 100 ms, expected "pong"` || fact.Value != 0.1 {
			t.Errorf("got %+v", fact)
		}
	})
}

// Checks that are prepared before the server runs, or just as it begins to, are begun.
func TestChecksPreparedBeforeRunBegin(t *testing.T) {
	for _, late := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := New(Config{Awake: func() time.Duration { return 0 }})
			p := &program{takes: -1}
			s.dial = func(context.Context, *probe.Check) (net.Conn, error) { return p.connect(time.Now()), nil }
			apply := s.Prepare(map[string]*probe.Check{"epg": pingEvery(t, "epg", time.Second, time.Second)})
			if !late {
				apply()
			}
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { s.Run(ctx) })
			synctest.Wait()
			if late {
				apply()
				synctest.Wait()
			}
			if p.open != 1 {
				t.Errorf("there are %d connections, want 1", p.open)
			}
			stop()
			running.Wait()
			if p.open != 0 {
				t.Errorf("there are %d connections after the end, want none", p.open)
			}
		})
	}
}
