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

// pending is a connection in the queue of a simulated listening socket.
type pending struct {
	cookie  uint64
	arrived time.Duration
	seen    time.Duration // the first reading with it in the queue; -1 = none yet
	reset   bool
}

// simulation simulates a program that listens, and reads its queue.
type simulation struct {
	now         time.Duration
	queues      [][]pending // of each socket, in the order of acceptance
	cookies     uint64
	queue       queue
	inspections int
}

func newSimulation(sockets int) *simulation {
	return &simulation{queues: make([][]pending, sockets), queue: queue{within: testWithin}}
}

func (s *simulation) arrive(socket int) {
	s.cookies++
	s.queues[socket] = append(s.queues[socket], pending{cookie: s.cookies, arrived: s.now, seen: -1})
}

func (s *simulation) accept(socket int) {
	if len(s.queues[socket]) > 0 {
		s.queues[socket] = s.queues[socket][1:]
	}
}

// read reads the queue as a view does. It calls meanwhile between its steps.
func (s *simulation) read(meanwhile func()) {
	for _, queue := range s.queues {
		for j := range queue {
			if queue[j].seen < 0 {
				queue[j].seen = s.now
			}
		}
	}
	s.queue.startReading()
	s.count()
	if !s.queue.needsInspection(s.now) {
		return
	}
	s.inspections++
	gap := s.queue.afterGap()
	before := s.list()
	for range maxInspections {
		meanwhile()
		s.count()
		meanwhile()
		after := s.list()
		if s.queue.inspect(before, after, gap, s.now) == 0 {
			break
		}
		before = after
	}
	s.queue.inspectedAt = s.now
}

// list returns the connections that can be listed.
func (s *simulation) list() (seen []connection) {
	for _, queue := range s.queues {
		for _, c := range queue {
			if !c.reset {
				seen = append(seen, connection{cookie: c.cookie, age: s.now - c.arrived})
			}
		}
	}
	return seen
}

func (s *simulation) count() {
	var sockets []listener
	for i, queue := range s.queues {
		sockets = append(sockets, listener{cookie: uint64(1_000_000 + i), queue: len(queue)})
	}
	s.queue.count(sockets, s.now)
}

// nothing is a meanwhile in which nothing happens.
func nothing() {}

// oldest returns the reading that first saw the oldest connection that waits.
func (s *simulation) oldest() (seen time.Duration, waits bool) {
	for _, queue := range s.queues {
		for _, c := range queue {
			if c.seen >= 0 && (!waits || c.seen < seen) {
				seen, waits = c.seen, true
			}
		}
	}
	return seen, waits
}

// pass advances the time between two readings.
func (s *simulation) pass(d time.Duration) { s.now += d }

// Random programs: the longest wait is never underestimated, whatever happens during a
// reading.
func TestWaitIsNeverUnderestimated(t *testing.T) {
	for _, racing := range []bool{false, true} {
		rapid.Check(t, func(t *rapid.T) {
			s := newSimulation(rapid.IntRange(1, 3).Draw(t, "sockets"))
			happen := func(most int) {
				for range rapid.IntRange(0, most).Draw(t, "events") {
					socket := rapid.IntRange(0, len(s.queues)-1).Draw(t, "socket")
					switch rapid.SampledFrom([]string{"arrive", "accept", "reset"}).Draw(t, "what") {
					case "arrive":
						s.arrive(socket)
					case "accept":
						s.accept(socket)
					case "reset":
						if n := len(s.queues[socket]); n > 0 {
							s.queues[socket][rapid.IntRange(0, n-1).Draw(t, "which")].reset = true
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
				s.pass(testEvery)
				s.read(meanwhile)
				oldest, waits := s.oldest()
				since, known := s.queue.oldest()
				if waits && (!known || since > oldest) {
					t.Fatalf("at %v a connection has waited since %v, the estimate is %v (%v)", s.now, oldest, since, known)
				}
			}
		})
	}
}

// A program whose queue is never empty, but which accepts each connection in time, is
// not stuck.
func TestBusyIsNotStuck(t *testing.T) {
	for _, busy := range []struct {
		name                   string
		sockets, length, batch int           // of each queue, of each accept
		every                  time.Duration // between accepts
		resets                 int           // one in this number is reset; 0 = none
	}{
		{"one at a time", 1, 3, 1, 200 * time.Millisecond, 0},
		{"all at once", 1, 5, 5, 50 * time.Millisecond, 0},
		{"full", 1, 129, 129, 400 * time.Millisecond, 0},
		{"full, of several sockets", 4, 129, 129, 400 * time.Millisecond, 0},
		{"some reset", 1, 100, 100, 300 * time.Millisecond, 20},
	} {
		t.Run(busy.name, func(t *testing.T) {
			s := newSimulation(busy.sockets)
			fill := func(socket int) {
				for len(s.queues[socket]) < busy.length {
					s.arrive(socket)
					if busy.resets > 0 && s.cookies%uint64(busy.resets) == 0 {
						last := &s.queues[socket][len(s.queues[socket])-1]
						last.reset = true
					}
				}
			}
			for socket := range s.queues {
				fill(socket)
			}
			const tick = 10 * time.Millisecond
			for s.now < time.Minute {
				s.pass(tick)
				if s.now%busy.every == 0 {
					for socket := range s.queues {
						for range busy.batch {
							s.accept(socket)
						}
						fill(socket)
					}
				}
				if s.now%testEvery != 0 {
					continue
				}
				s.read(nothing)
				if since, waits := s.queue.oldest(); waits && s.now-since > testWithin {
					t.Fatalf("at %v the estimated wait is %v", s.now, s.now-since)
				}
			}
		})
	}
}

// A program that accepts each connection at once is not stuck, though one has just
// arrived at each count and none is left to list.
func TestFastIsNotStuck(t *testing.T) {
	s := newSimulation(1)
	odd := false
	for s.now < time.Minute {
		s.arrive(0)
		s.pass(testEvery)
		s.read(func() {
			s.accept(0)
			if odd = !odd; !odd && s.inspections%4 > 0 { // some readings find it idle
				s.arrive(0)
			}
		})
		if since, waits := s.queue.oldest(); waits && s.now-since > testWithin {
			t.Fatalf("at %v the estimated wait is %v", s.now, s.now-since)
		}
		for len(s.queues[0]) > 0 {
			s.accept(0)
		}
	}
	if s.inspections == 0 {
		t.Error("there was no inspection")
	}
}

// A program that stops accepting is stuck since the first reading that finds a
// connection, whether its clients stay or reset, until it accepts all.
func TestStuckProgramIsFound(t *testing.T) {
	for _, clients := range []string{"stay", "reset", "come once"} {
		t.Run(clients, func(t *testing.T) {
			s := newSimulation(1)
			for s.now < time.Minute {
				s.pass(testEvery)
				if s.now == testEvery || clients != "come once" && len(s.queues[0]) < 129 {
					s.arrive(0)
					s.queues[0][len(s.queues[0])-1].reset = clients == "reset"
				}
				s.read(nothing)
				if since, waits := s.queue.oldest(); !waits || since != testEvery {
					t.Fatalf("at %v the estimate is %v (%v), want %v", s.now, since, waits, testEvery)
				}
			}
			s.queues[0] = nil
			s.pass(testEvery)
			s.read(nothing)
			if since, waits := s.queue.oldest(); waits {
				t.Errorf("all are accepted, but the estimate is %v", since)
			}
		})
	}
}

// A program that hung until its queue was full, and then accepts all of it again and
// again while clients fill it, is no longer stuck.
func TestFullQueueRecovers(t *testing.T) {
	s := newSimulation(1)
	renew := func() {
		s.queues[0] = nil
		for len(s.queues[0]) < 129 {
			s.arrive(0)
		}
	}
	renew()
	for s.now < 10*time.Second {
		s.pass(testEvery)
		s.read(nothing)
	}
	recovered := s.now
	for s.now < recovered+time.Second {
		renew()
		s.pass(testEvery)
		s.read(nothing)
	}
	if since, _ := s.queue.oldest(); since < recovered {
		t.Errorf("at %v the estimate is %v, want %v or later", s.now, since, recovered)
	}
}

// There is no inspection while each connection is accepted between two readings.
func TestIdleQueueIsNotInspected(t *testing.T) {
	s := newSimulation(1)
	s.read(nothing) // so that no connection arrives before the first reading
	for s.now < time.Minute {
		s.arrive(0)
		s.pass(testEvery)
		s.read(nothing)
		s.accept(0)
		if s.now%(4*testEvery) == 0 {
			s.pass(testEvery)
			s.read(nothing)
		}
	}
	if s.inspections > 0 {
		t.Errorf("there were %d inspections", s.inspections)
	}
}

// After a pause of the readings, a connection that waited before still counts, and one
// that arrived in the pause does not count as older.
func TestPauseOfReadingsKeepsTheOldestConnection(t *testing.T) {
	for _, stuck := range []bool{true, false} {
		s := newSimulation(1)
		s.arrive(0)
		first := 10 * testEvery // enough for an inspection
		for s.now < first {
			s.pass(testEvery)
			s.read(nothing)
		}
		s.pass(time.Hour)
		if !stuck {
			s.accept(0)
			s.arrive(0)
		}
		s.read(nothing)
		since, waits := s.queue.oldest()
		if want := map[bool]time.Duration{true: 0, false: s.now}[stuck]; !waits || since != want {
			t.Errorf("stuck %v: at %v the estimate is %v, want %v", stuck, s.now, since, want)
		}
	}
}

// A program that has accepted nothing since before the first reading, or since a pause
// of the readings, is stuck at once. One that has accepted all meanwhile is not.
func TestConnectionsThatArriveUnreadAreDated(t *testing.T) {
	for _, paused := range []bool{false, true} {
		for _, stuck := range []bool{false, true} {
			s := newSimulation(2)
			if paused {
				s.pass(testEvery)
				s.read(nothing)
			}
			s.pass(time.Minute)
			arrived := s.now
			s.arrive(0)
			s.arrive(0)
			s.pass(time.Minute)
			if !stuck {
				s.accept(0)
				s.accept(0)
				arrived = s.now
				s.arrive(0)
			}
			for range 3 {
				s.read(nothing)
				if since, waits := s.queue.oldest(); !waits || since != arrived {
					t.Errorf("stuck %v, paused %v: at %v the estimate is %v, want %v", stuck, paused, s.now, since, arrived)
				}
				s.pass(testEvery)
			}
			s.queues[0] = nil
			s.read(nothing)
			if since, waits := s.queue.oldest(); waits {
				t.Errorf("stuck %v, paused %v: all are accepted, but the estimate is %v", stuck, paused, since)
			}
		}
	}
}

// A program that accepts a connection late, but in time, is never stuck: the queue is
// read once more before the limit.
func TestLateAcceptIsNotStuck(t *testing.T) {
	for phase := time.Duration(0); phase < testEvery; phase += testEvery / 10 {
		s := newSimulation(1)
		s.read(nothing)
		s.pass(phase)
		s.arrive(0)
		accepted := s.now + testWithin - 2*recheckMargin
		next := testEvery
		for s.now < 2*testWithin {
			const tick = time.Millisecond
			if s.pass(tick); s.now == accepted {
				s.accept(0)
			}
			if s.now == next {
				s.read(nothing)
				next += testEvery
				if due := s.queue.recheckIn(s.now); due > 0 {
					next = min(next, s.now+due)
				}
			}
			if since, waits := s.queue.oldest(); waits && s.now-since > testWithin {
				t.Fatalf("at %v the estimated wait is %v", s.now, s.now-since)
			}
		}
	}
}
