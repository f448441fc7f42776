package host

import (
	"slices"
	"time"
)

// inspectionRest is how many times as long as an inspection took the next one is
// delayed. So inspections, which list a host's thousands of connections, use at most
// a hundredth of a core.
const inspectionRest = 99

// recheckMargin is how long before a connection has waited for too long the queue is
// read once more.
const recheckMargin = 10 * time.Millisecond

// queue estimates how long the oldest connection has waited to be accepted at one
// address, over all listening sockets there.
//
// The kernel reports how many connections wait at each socket, but not for how long.
// Connections are accepted in the order of their arrival. So the oldest one arrived
// no later than the time at which the number of arrivals first exceeded the number of
// accepted connections. Of that number only a lower bound is known: by how much the
// queue shrank between two readings. An inspection, which lists the connections
// themselves, improves the bound: those that waited at the last inspection and no
// longer wait have been accepted. A connection that its client has reset stays in the
// queue but cannot be listed. So each counted connection that is not listed counts as
// one that waited at the last inspection.
//
// The estimated wait is too short by at most the time between two readings. It is too
// long if many connections arrive and are accepted between two readings without an
// inspection.
//
// Connections that arrived before the first reading, or during a pause of the
// readings, are as old as the kernel says of each of them. Of those that were reset
// it says nothing: they count from the reading that found them.
type queue struct {
	within  time.Duration           // how long a connection may wait, by the strictest landmark
	sockets map[uint64]*socketQueue // by cookie
	counted time.Duration           // when the sockets were last counted
	gap     time.Duration           // between the last two counts

	// The connections that were listed by the last inspection before this reading,
	// and by the inspection in this reading: sets of cookies.
	lastSeen, nowSeen map[uint64]struct{}

	inspectedAt    time.Duration // when the last inspection ended
	inspectionTime time.Duration // how long it took
	countedAfter   time.Duration // the first count after it; 0 = none yet
}

// socketQueue is the queue of one listening socket.
type socketQueue struct {
	undated       bool // some that wait may have arrived while nothing was read
	waiting       int
	accepted      uint64 // a lower bound, since the socket was first seen
	lastInspected uint64 // arrived() at the last inspection before this reading
	nowInspected  uint64 // arrived() at the inspection in this reading
	marks         []mark
}

// mark says that the given number of connections had arrived by a time.
type mark struct {
	at      time.Duration
	arrived uint64
}

func (s *socketQueue) arrived() uint64 { return s.accepted + uint64(s.waiting) }

// startReading starts a reading: the inspection of the previous reading becomes the
// last one.
func (q *queue) startReading() {
	if q.nowSeen == nil {
		return
	}
	q.lastSeen, q.nowSeen, q.countedAfter = q.nowSeen, nil, 0
	for _, s := range q.sockets {
		s.lastInspected = s.nowInspected
	}
}

// count records how many connections wait at each socket now. It forgets sockets that
// no longer exist.
func (q *queue) count(listeners []listener, now time.Duration) {
	known := q.sockets
	q.gap, q.counted = now-q.counted, now
	if q.countedAfter == 0 {
		q.countedAfter = now
	}
	q.sockets = make(map[uint64]*socketQueue, len(listeners))
	for _, l := range listeners {
		s := known[l.cookie]
		if s == nil {
			s = &socketQueue{undated: true}
		}
		s.undated = (s.undated || q.afterGap()) && l.queue > 0
		q.sockets[l.cookie] = s
		before := s.arrived()
		if fewer := s.waiting - l.queue; fewer > 0 {
			s.accepted += uint64(fewer)
		}
		s.waiting = l.queue
		if arrived := s.arrived(); arrived > before {
			s.marks = append(s.marks, mark{now, arrived})
		}
		s.dropAccepted()
	}
}

// needsInspection reports whether the connections should be listed: one may have
// waited for a quarter of within, or may have arrived while nothing was read. Once
// one has waited for longer than within, inspections are rarer: a shorter queue is
// noticed without them.
func (q *queue) needsInspection(now time.Duration) bool {
	for _, s := range q.sockets {
		if s.undated {
			return true
		}
	}
	oldest, waits := q.oldest()
	rest := q.within / 8
	if now-oldest > q.within {
		rest = q.within
	}
	return waits && now-oldest > q.within/4 && now-q.inspectedAt >= min(inspectionRest*q.inspectionTime, rest)
}

// afterGap reports whether the previous count was so long ago that nothing is known
// of the connections that were accepted since.
func (q *queue) afterGap() bool { return q.gap > q.within/2 }

// inspect compares two lists of the waiting connections, from before and after the
// last count. It returns how many connections were counted but are not in both lists:
// those that were reset, and those that arrived or were accepted meanwhile. gap is
// afterGap of the reading.
func (q *queue) inspect(before, after []connection, gap bool, now time.Duration) (unseen int) {
	earlier := make(map[uint64]struct{}, len(before))
	for _, c := range before {
		earlier[c.cookie] = struct{}{}
	}
	q.nowSeen = make(map[uint64]struct{}, len(after))
	both, still, oldest := 0, 0, now
	for _, c := range after {
		oldest = min(oldest, now-c.age)
		q.nowSeen[c.cookie] = struct{}{}
		if _, waited := earlier[c.cookie]; waited {
			both++
			if _, known := q.lastSeen[c.cookie]; known {
				still++
			}
		}
	}
	unseen = max(0, q.waiting()-both)
	still += unseen
	for _, s := range q.sockets {
		if s.lastInspected > uint64(still) {
			s.setAccepted(s.lastInspected-uint64(still), q.countedAfter)
		}
		if still == 0 && gap {
			s.setAccepted(s.arrived(), now) // otherwise connections that arrived in the gap would count as older
		}
		if s.undated {
			s.setOldest(oldest)
		}
		s.nowInspected = s.arrived()
	}
	return unseen
}

// setOldest records that the first connection that waits arrived by at, though
// nothing was read then.
func (s *socketQueue) setOldest(at time.Duration) {
	if s.undated = false; len(s.marks) > 0 && at < s.marks[0].at {
		s.marks = slices.Insert(s.marks, 0, mark{at, s.accepted + 1})
	}
}

// oldest returns the time by which the oldest connection that waits had arrived. waits
// is false if none waits.
func (q *queue) oldest() (at time.Duration, waits bool) {
	for _, s := range q.sockets {
		if len(s.marks) > 0 && (!waits || s.marks[0].at < at) {
			at, waits = s.marks[0].at, true
		}
	}
	return at, waits
}

// recheckIn returns the time until the queue must be read again, just before the
// oldest connection has waited for too long: it may have been accepted since. It is 0
// if no connection waits.
func (q *queue) recheckIn(now time.Duration) time.Duration {
	oldest, waits := q.oldest()
	if !waits {
		return 0
	}
	return max(0, oldest+q.within-recheckMargin-now)
}

// waiting returns how many connections wait at all sockets.
func (q *queue) waiting() (n int) {
	for _, s := range q.sockets {
		n += s.waiting
	}
	return n
}

// setAccepted raises the number of accepted connections to atLeast. Since the number
// waiting is fixed, as many more have arrived since the last inspection. Which of
// those that arrived since are accepted is not known, so all may have arrived by at.
func (s *socketQueue) setAccepted(atLeast uint64, at time.Duration) {
	if atLeast <= s.accepted {
		return
	}
	s.accepted = atLeast
	for len(s.marks) > 0 && s.marks[len(s.marks)-1].arrived > s.lastInspected {
		s.marks = s.marks[:len(s.marks)-1]
	}
	if s.arrived() > s.lastInspected {
		s.marks = append(s.marks, mark{at, s.arrived()})
	}
	s.dropAccepted()
}

// dropAccepted drops the marks of connections that are all accepted.
func (s *socketQueue) dropAccepted() {
	i := 0
	for i < len(s.marks) && s.marks[i].arrived <= s.accepted {
		i++
	}
	s.marks = s.marks[i:]
}
