package host

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	testWithin = 2 * time.Second
	testEvery  = 100 * time.Millisecond
)

// caller is a connection of a play, in a listening socket's queue.
type caller struct {
	cookie uint64
	came   time.Duration
	seen   time.Duration // at which reading it was first in the queue; -1 = at none yet
	reset  bool
}

// play is a program that listens, and what its host reads of it.
type play struct {
	now     time.Duration
	queues  [][]caller // of each socket, the first to be accepted first
	cookies uint64
	queue   queue
	looks   int
}

func newPlay(sockets int) *play {
	return &play{queues: make([][]caller, sockets), queue: queue{within: testWithin}}
}

func (p *play) arrive(socket int) {
	p.cookies++
	p.queues[socket] = append(p.queues[socket], caller{cookie: p.cookies, came: p.now, seen: -1})
}

func (p *play) accept(socket int) {
	if len(p.queues[socket]) > 0 {
		p.queues[socket] = p.queues[socket][1:]
	}
}

// read reads as a view does; meanwhile happens what may.
func (p *play) read(meanwhile func()) {
	for _, queue := range p.queues {
		for j := range queue {
			if queue[j].seen < 0 {
				queue[j].seen = p.now
			}
		}
	}
	p.queue.startReading()
	p.count()
	if !p.queue.needsInspection(p.now) {
		return
	}
	p.looks++
	gap := p.queue.afterGap()
	before := p.see()
	for range maxInspections {
		meanwhile()
		p.count()
		meanwhile()
		after := p.see()
		if p.queue.inspect(before, after, gap, p.now) == 0 {
			break
		}
		before = after
	}
	p.queue.inspectedAt = p.now
}

// check returns the connections that can be looked at.
func (p *play) see() (seen []connection) {
	for _, queue := range p.queues {
		for _, c := range queue {
			if !c.reset {
				seen = append(seen, connection{cookie: c.cookie, age: p.now - c.came})
			}
		}
	}
	return seen
}

func (p *play) count() {
	var sockets []listener
	for i, queue := range p.queues {
		sockets = append(sockets, listener{cookie: uint64(1_000_000 + i), queue: len(queue)})
	}
	p.queue.count(sockets, p.now)
}

// nothing happens.
func nothing() {}

// oldest is at which reading the connection that waits longest was first seen.
func (p *play) oldest() (seen time.Duration, waits bool) {
	for _, queue := range p.queues {
		for _, c := range queue {
			if c.seen >= 0 && (!waits || c.seen < seen) {
				seen, waits = c.seen, true
			}
		}
	}
	return seen, waits
}

// pass lets a time pass between two readings.
func (p *play) pass(d time.Duration) { p.now += d }

// TestNoWaitIsTooShort plays programs that do anything, and holds that the
// longest wait is never taken for shorter than it is, whatever happens while the
// kernel is asked.
func TestNoWaitIsTooShort(t *testing.T) {
	for _, racing := range []bool{false, true} {
		rapid.Check(t, func(t *rapid.T) {
			p := newPlay(rapid.IntRange(1, 3).Draw(t, "sockets"))
			happen := func(most int) {
				for range rapid.IntRange(0, most).Draw(t, "happenings") {
					socket := rapid.IntRange(0, len(p.queues)-1).Draw(t, "socket")
					switch rapid.SampledFrom([]string{"arrive", "accept", "reset"}).Draw(t, "what") {
					case "arrive":
						p.arrive(socket)
					case "accept":
						p.accept(socket)
					case "reset":
						if n := len(p.queues[socket]); n > 0 {
							p.queues[socket][rapid.IntRange(0, n-1).Draw(t, "which")].reset = true
						}
					}
				}
			}
			meanwhile := nothing
			if racing {
				meanwhile = func() { happen(1) }
			}
			for range 200 {
				happen(4)
				p.pass(testEvery)
				p.read(meanwhile)
				oldest, waits := p.oldest()
				since, known := p.queue.oldest()
				if waits && (!known || since > oldest) {
					t.Fatalf("at %v one waits since %v, and is taken to since %v (%v)", p.now, oldest, since, known)
				}
			}
		})
	}
}

// TestBusyIsNotStuck plays programs whose queues are never empty, and which
// accept each connection in time. They must not be called stuck.
func TestBusyIsNotStuck(t *testing.T) {
	for _, busy := range []struct {
		name               string
		sockets, long, per int           // so long is each queue, so many are accepted at once
		every              time.Duration // setAccepted
		resets             int           // one in so many; 0 = none
	}{
		{"one at a time", 1, 3, 1, 200 * time.Millisecond, 0},
		{"all at once", 1, 5, 5, 50 * time.Millisecond, 0},
		{"full", 1, 129, 129, 400 * time.Millisecond, 0},
		{"full, of several sockets", 4, 129, 129, 400 * time.Millisecond, 0},
		{"some reset", 1, 100, 100, 300 * time.Millisecond, 20},
	} {
		t.Run(busy.name, func(t *testing.T) {
			p := newPlay(busy.sockets)
			fill := func(socket int) {
				for len(p.queues[socket]) < busy.long {
					p.arrive(socket)
					if busy.resets > 0 && p.cookies%uint64(busy.resets) == 0 {
						last := &p.queues[socket][len(p.queues[socket])-1]
						last.reset = true
					}
				}
			}
			for socket := range p.queues {
				fill(socket)
			}
			const tick = 10 * time.Millisecond
			for p.now < time.Minute {
				p.pass(tick)
				if p.now%busy.every == 0 {
					for socket := range p.queues {
						for range busy.per {
							p.accept(socket)
						}
						fill(socket)
					}
				}
				if p.now%testEvery != 0 {
					continue
				}
				p.read(nothing)
				if since, waits := p.queue.oldest(); waits && p.now-since > testWithin {
					t.Fatalf("at %v one is taken to wait for %v", p.now, p.now-since)
				}
			}
		})
	}
}

// TestFastIsNotStuck plays a program that accepts each connection at once, but
// for one that has just come whenever its host counts, and none when it looks.
func TestFastIsNotStuck(t *testing.T) {
	p := newPlay(1)
	odd := false
	for p.now < time.Minute {
		p.arrive(0)
		p.pass(testEvery)
		p.read(func() {
			p.accept(0)
			if odd = !odd; !odd && p.looks%4 > 0 { // once in a while it is found idle
				p.arrive(0)
			}
		})
		if since, waits := p.queue.oldest(); waits && p.now-since > testWithin {
			t.Fatalf("at %v one is taken to wait for %v", p.now, p.now-since)
		}
		for len(p.queues[0]) > 0 {
			p.accept(0)
		}
	}
	if p.looks == 0 {
		t.Error("it was never looked at")
	}
}

// TestStuckIsFound plays a program that accepts no more, and whose clients come
// on, or go again at once, until its queue is full: it is stuck from the first
// reading on that finds one waiting, and no longer once it accepts them.
func TestStuckIsFound(t *testing.T) {
	for _, clients := range []string{"stay", "reset", "come once"} {
		t.Run(clients, func(t *testing.T) {
			p := newPlay(1)
			for p.now < time.Minute {
				p.pass(testEvery)
				if p.now == testEvery || clients != "come once" && len(p.queues[0]) < 129 {
					p.arrive(0)
					p.queues[0][len(p.queues[0])-1].reset = clients == "reset"
				}
				p.read(nothing)
				if since, waits := p.queue.oldest(); !waits || since != testEvery {
					t.Fatalf("at %v it is taken to be stuck since %v (%v)", p.now, since, waits)
				}
			}
			p.queues[0] = nil
			p.pass(testEvery)
			p.read(nothing)
			if since, waits := p.queue.oldest(); waits {
				t.Errorf("all are accepted, and one is taken to wait since %v", since)
			}
		})
	}
}

// TestFullQueueRecovers plays a program that hung until its queue was full, and
// then accepts all that is in it, over and over, while others fill it up.
func TestFullQueueRecovers(t *testing.T) {
	p := newPlay(1)
	renew := func() {
		p.queues[0] = nil
		for len(p.queues[0]) < 129 {
			p.arrive(0)
		}
	}
	renew()
	for p.now < 10*time.Second {
		p.pass(testEvery)
		p.read(nothing)
	}
	recovered := p.now
	for p.now < recovered+time.Second {
		renew()
		p.pass(testEvery)
		p.read(nothing)
	}
	if since, _ := p.queue.oldest(); since < recovered {
		t.Errorf("at %v it is taken to be stuck since %v", p.now, since)
	}
}

// TestIdleIsNotLookedAt holds that connections are not looked at while nothing
// is in doubt.
func TestIdleIsNotLookedAt(t *testing.T) {
	p := newPlay(1)
	p.read(nothing) // or else what waits might have come before
	for p.now < time.Minute {
		p.arrive(0)
		p.pass(testEvery)
		p.read(nothing)
		p.accept(0)
		if p.now%(4*testEvery) == 0 {
			p.pass(testEvery)
			p.read(nothing)
		}
	}
	if p.looks > 0 {
		t.Errorf("%d looks", p.looks)
	}
}

// TestPauseOfReadings holds that nothing that came and went while nobody read
// is taken for what waited before, and that what waited before is not
// forgotten.
func TestPauseOfReadings(t *testing.T) {
	for _, stuck := range []bool{true, false} {
		p := newPlay(1)
		p.arrive(0)
		first := 10 * testEvery // so that it was looked at
		for p.now < first {
			p.pass(testEvery)
			p.read(nothing)
		}
		p.pass(time.Hour)
		if !stuck {
			p.accept(0)
			p.arrive(0)
		}
		p.read(nothing)
		since, waits := p.queue.oldest()
		if want := map[bool]time.Duration{true: 0, false: p.now}[stuck]; !waits || since != want {
			t.Errorf("stuck %v: at %v one is taken to wait since %v, want %v", stuck, p.now, since, want)
		}
	}
}

// TestWhatCameUnread plays programs that have accepted nothing since before the
// first reading, or since a pause of them began: that is seen at once. Of who has
// accepted all by then it is not said.
func TestWhatCameUnread(t *testing.T) {
	for _, paused := range []bool{false, true} {
		for _, stuck := range []bool{false, true} {
			p := newPlay(2)
			if paused {
				p.pass(testEvery)
				p.read(nothing)
			}
			p.pass(time.Minute)
			came := p.now
			p.arrive(0)
			p.arrive(0)
			p.pass(time.Minute)
			if !stuck {
				p.accept(0)
				p.accept(0)
				came = p.now
				p.arrive(0)
			}
			for range 3 {
				p.read(nothing)
				if since, waits := p.queue.oldest(); !waits || since != came {
					t.Errorf("stuck %v, paused %v: at %v one is taken to wait since %v, want %v", stuck, paused, p.now, since, came)
				}
				p.pass(testEvery)
			}
			p.queues[0] = nil
			p.read(nothing)
			if since, waits := p.queue.oldest(); waits {
				t.Errorf("stuck %v, paused %v: all are accepted, and one is taken to wait since %v", stuck, paused, since)
			}
		}
	}
}

// TestLateIsNotTooLate plays a program that accepts each connection late, but in
// time. Between two readings time alone goes on, and must not make it stuck.
func TestLateIsNotTooLate(t *testing.T) {
	for phase := time.Duration(0); phase < testEvery; phase += testEvery / 10 {
		p := newPlay(1)
		p.read(nothing)
		p.pass(phase)
		p.arrive(0)
		accepted := p.now + testWithin - 2*recheckMargin
		next := testEvery
		for p.now < 2*testWithin {
			const tick = time.Millisecond
			if p.pass(tick); p.now == accepted {
				p.accept(0)
			}
			if p.now == next {
				p.read(nothing)
				next += testEvery
				if due := p.queue.recheckIn(p.now); due > 0 {
					next = min(next, p.now+due)
				}
			}
			if since, waits := p.queue.oldest(); waits && p.now-since > testWithin {
				t.Fatalf("at %v one is taken to wait for %v", p.now, p.now-since)
			}
		}
	}
}
