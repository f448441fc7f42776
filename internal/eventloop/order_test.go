package eventloop

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// scriptedPoller has events that a test adds.
type scriptedPoller struct {
	Poller
	events []Event
}

func (p *scriptedPoller) Poll(events []Event) int {
	n := copy(events, p.events)
	p.events = p.events[n:]
	return n
}

// noting is a handler that notes its calls.
type noting struct {
	Conn
	note func()
}

func (n *noting) Ready()       { n.note() }
func (n *noting) Due()         { n.note() }
func (n *noting) Close() error { return n.Conn.Close() }

// nothing is a socket that has nothing.
type nothing struct{}

func (nothing) Read([]byte) (int, error)    { return 0, unix.EAGAIN }
func (nothing) Write(b []byte) (int, error) { return len(b), nil }
func (nothing) Close() error                { return nil }

// While very many connections are queued, the loop serves those that become ready. Those
// that are queued again come after the others, and a connection that is closed gets no
// call.
func TestQueueLetsOthersBeServed(t *testing.T) {
	e, err := newEpoll()
	if err != nil {
		t.Fatal(err)
	}
	poller := &scriptedPoller{Poller: e}
	l := NewWith(poller)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	const many = 1000
	var served []int
	all := make([]*noting, many+1)
	for key := range all {
		n := &noting{}
		n.note = func() {
			served = append(served, key)
			switch {
			case key == 0: // which is not queued
				all[many].Close()
			case key == 10 && len(served) == 10:
				n.Queue()
				poller.events = append(poller.events, Event{Key: 0})
			case key == 10:
				stop()
			}
		}
		all[key] = n
		if err := l.Add(&n.Conn, nothing{}, key, n); err != nil {
			t.Fatal(err)
		}
		if key > 0 {
			n.Queue()
			n.Queue() // which changes nothing
		}
	}
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if len(served) != many+1 || slices.Contains(served, many) {
		t.Errorf("got %d calls, want one for each except the closed connection, and a second for the one that was queued again", len(served))
	}
	if at := slices.Index(served, 0); at < 10 || at > 10+maxQueued {
		t.Errorf("the connection that was ready was served after %d others, want at most %d", at, 10+maxQueued)
	}
	if served[len(served)-1] != 10 {
		t.Errorf("the last served was %d, want the one that was queued again", served[len(served)-1])
	}
}

// What was posted, and deadlines, need not wait for all sockets that have become ready at
// once. Those are all served.
func TestRoundEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		poller := &onePoller{}
		l := NewWith(poller)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		const ready = 4 * roundCheck
		var served, before int
		for key := range ready {
			n := &noting{}
			n.note = func() {
				if served++; served == 1 {
					l.Post(func() { before = served })
				}
				time.Sleep(maxRound / (roundCheck - 1)) // it works
				if served == ready {
					stop()
				}
			}
			if err := l.Add(&n.Conn, nothing{}, key, n); err != nil {
				t.Fatal(err)
			}
			poller.events = append(poller.events, Event{Key: key})
		}
		if err := l.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if served != ready || before != roundCheck {
			t.Errorf("%d of %d sockets were served, %d of them before what was posted; want all, and %d", served, ready, before, roundCheck)
		}
	})
}

// The sockets for which a round had no time go before those that were queued in it, but
// for the few that each round serves.
func TestUnservedGoBeforeQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		poller := &onePoller{}
		l := NewWith(poller)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		const inRound, ready = 4 * maxQueued, 5 * maxQueued
		visits := make([]int, ready)
		var served, before int
		for key := range ready {
			n := &noting{}
			n.note = func() {
				if key == ready-1 && visits[key] == 0 {
					before = served
				}
				visits[key]++
				if served++; served == 2*ready {
					stop()
				}
				if visits[key] == 1 {
					n.Queue()
				}
				time.Sleep(maxRound/inRound + 1) // it works
			}
			if err := l.Add(&n.Conn, nothing{}, key, n); err != nil {
				t.Fatal(err)
			}
			poller.events = append(poller.events, Event{Key: key})
		}
		if err := l.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if want := ready - 1 + maxQueued; before != want {
			t.Errorf("the last socket that was ready was served after %d visits, want %d", before, want)
		}
	})
}

// A queue that is never empty does not grow.
func TestQueueDoesNotGrow(t *testing.T) {
	const held = 10
	var q queue
	conns := make([]*Conn, 1000)
	for i := range conns {
		conns[i] = &Conn{key: i}
		q.push(conns[i])
		if i >= held {
			if c := q.pop(); c != conns[i-held] {
				t.Fatalf("got %d, want %d", c.key, i-held)
			}
		}
	}
	if q.len() != held || cap(q.conns) > 4*held {
		t.Errorf("the queue holds %d of %d, want %d of at most %d", q.len(), cap(q.conns), held, 4*held)
	}
}

// onePoller has some events, and never more.
type onePoller struct{ events []Event }

func (p *onePoller) Wait(serve func() bool) error {
	for !serve() {
	}
	return nil
}

func (p *onePoller) Poll(events []Event) int {
	n := copy(events, p.events)
	p.events = p.events[n:]
	return n
}

func (p *onePoller) Ignore() bool                { return false }
func (p *onePoller) SetDeadline(time.Time) error { return nil }
func (p *onePoller) Close() error                { return nil }

// A listener goes before all that has become ready, and what is in the queue goes after
// that, though an event tells of it too.
func TestListenersGoFirst(t *testing.T) {
	e, err := newEpoll()
	if err != nil {
		t.Fatal(err)
	}
	poller := &scriptedPoller{Poller: e}
	l := NewWith(poller)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	const queued, ready, listener = 0, 1, 2
	var served []int
	var all [3]noting
	for key := range all {
		n := &all[key]
		n.note = func() {
			if served = append(served, key); len(served) == 6 {
				stop()
				return
			}
			if key != ready {
				n.Queue()
			}
		}
		if err := l.Add(&n.Conn, nothing{}, key, n); err != nil {
			t.Fatal(err)
		}
		poller.events = append(poller.events, Event{Key: key})
	}
	all[listener].first = true
	all[queued].Queue()
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if want := []int{listener, ready, queued, listener, queued, listener}; !slices.Equal(served[:6], want) {
		t.Errorf("served %v, want %v", served, want)
	}
}

// accepting takes some time for each connection, and closes it.
type accepting struct{ accepted func() }

func (a accepting) Accepted(s Socket, _ int, _ netip.Addr) { s.Close(); a.accepted() }
func (a accepting) AcceptFailed(err error)                 { panic(err) }

// What was posted need not wait for all connections that have arrived at once. Those are all
// accepted.
func TestAcceptingEndsWithRound(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const arrived = 4 * roundCheck
	for range arrived {
		dial(t, tcp.Addr().String())
	}
	synctest.Test(t, func(t *testing.T) {
		l := NewWith(&onePoller{})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var accepted, before int
		if err := l.Listen(tcp.(*net.TCPListener), accepting{func() {
			if accepted++; accepted == 1 {
				l.Post(func() { before = accepted })
			}
			time.Sleep(maxRound / (roundCheck - 1)) // it works
			if accepted == arrived {
				stop()
			}
		}}); err != nil {
			t.Fatal(err)
		}
		if err := l.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if accepted != arrived || before != roundCheck {
			t.Errorf("%d of %d connections were accepted, %d of them before what was posted; want all, and %d", accepted, arrived, before, roundCheck)
		}
	})
}

// busyPoller always has events of two sockets. It notes how many rounds the loop makes before
// each of its waits, until it has made three.
type busyPoller struct {
	onePoller
	ignores bool
	rounds  []int
}

func (p *busyPoller) Wait(serve func() bool) error {
	for len(p.rounds) < 3 {
		p.rounds = append(p.rounds, 0)
		if serve() {
			return nil
		}
	}
	return os.ErrClosed
}

func (p *busyPoller) Poll(events []Event) int {
	p.rounds[len(p.rounds)-1]++
	return copy(events, []Event{{Key: 0}, {Key: 1}})
}

func (p *busyPoller) Ignore() bool { return p.ignores }

// While arrivals are ignored, the loop looks for them again, but waits in time. While they
// are not, it waits after each round.
func TestBusyLoopWaitsNowAndThen(t *testing.T) {
	const inTime = 4
	for ignores, want := range map[bool][]int{true: {inTime, inTime, inTime}, false: {1, 1, 1}} {
		synctest.Test(t, func(t *testing.T) {
			poller := &busyPoller{ignores: ignores}
			l := NewWith(poller)
			for key := range 2 {
				n := &noting{note: func() { time.Sleep(maxAtWork/(2*(inTime-1)) + 1) }} // it works
				if err := l.Add(&n.Conn, nothing{}, key, n); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Run(t.Context()); !errors.Is(err, os.ErrClosed) {
				t.Fatal(err)
			}
			if !slices.Equal(poller.rounds, want) {
				t.Errorf("arrivals are ignored: %t: the loop made %v rounds before its waits, want %v", ignores, poller.rounds, want)
			}
		})
	}
}
