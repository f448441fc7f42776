package host

import (
	"slices"
	"time"
)

// inspectionRest is how many times as long as a look took there is none: to
// look at a host's thousands of connections takes a hundredth of a core.
const inspectionRest = 99

// recheckMargin is how long before a connection has waited too long the queue is
// read once more.
const recheckMargin = 10 * time.Millisecond

// queue is what is known of the connections that wait to be accepted at one
// place, all listening sockets there together.
//
// The kernel tells how many wait at each socket, not for how long. But they are
// accepted in the order in which they came: the one that waits longest came by
// the moment at which so many had come as were not all accepted since. Of those
// accepted only the fewest possible are known: as many as the queue became
// shorter by; and, where the connections themselves were looked at, all that
// waited then and do not now. A connection that its client has reset stays in
// the queue and cannot be looked at, and so what is counted and not seen counts
// as what waited then. The wait is never taken for shorter than it is, but by
// the time between two readings; it is taken for longer where many come and are
// accepted between two readings and none is looked at.
//
// What came when nobody read, before the first reading or in a pause of them, is
// as old as the kernel says of the connections themselves, and, of those that
// were reset, as the reading that found them.
type queue struct {
	within  time.Duration           // how long one may wait, by the strictest who asks
	sockets map[uint64]*socketQueue // by cookie
	counted time.Duration           // when that was
	gap     time.Duration           // how long after the time before

	// What was seen when the connections were last looked at, in a reading before
	// this one, and in this one.
	lastSeen, nowSeen map[uint64]struct{} // cookies
	inspectedAt       time.Duration       // when that was
	inspectionTime    time.Duration
	countedAfter      time.Duration // when they were first counted after that; 0 = not yet
}

// socketQueue is one listening socket.
type socketQueue struct {
	undated       bool // some that wait may have come when nobody read
	waiting       int
	accepted      uint64 // at least so many, since it was first seen
	lastInspected uint64 // arrived, when the connections were last looked at, in a reading before this one
	nowInspected  uint64 // in this one
	marks         []mark
}

// mark is that so many connections had arrived at a moment.
type mark struct {
	at      time.Duration
	arrived uint64
}

func (a *socketQueue) arrived() uint64 { return a.accepted + uint64(a.waiting) }

// startReading begins a reading: what was seen in the one before is what is compared
// with.
func (q *queue) startReading() {
	if q.nowSeen == nil {
		return
	}
	q.lastSeen, q.nowSeen, q.countedAfter = q.nowSeen, nil, 0
	for _, a := range q.sockets {
		a.lastInspected = a.nowInspected
	}
}

// countQueue takes how many wait at each socket now. A socket that is there no more
// is forgotten.
func (q *queue) count(sockets []listener, now time.Duration) {
	known := q.sockets
	q.gap, q.counted = now-q.counted, now
	if q.countedAfter == 0 {
		q.countedAfter = now
	}
	q.sockets = make(map[uint64]*socketQueue, len(sockets))
	for _, l := range sockets {
		a := known[l.cookie]
		if a == nil {
			a = &socketQueue{undated: true}
		}
		a.undated = (a.undated || q.afterGap()) && l.queue > 0
		q.sockets[l.cookie] = a
		before := a.arrived()
		if fewer := a.waiting - l.queue; fewer > 0 {
			a.accepted += uint64(fewer)
		}
		a.waiting = l.queue
		if arrived := a.arrived(); arrived > before {
			a.marks = append(a.marks, mark{now, arrived})
		}
		a.dropAccepted()
	}
}

// needsInspection reports whether the connections are to be looked at, since one may
// have waited for a good part of within, or came when nobody read. Once it has
// waited for longer there is time: that the queue becomes shorter is counted
// anyway.
func (q *queue) needsInspection(now time.Duration) bool {
	for _, a := range q.sockets {
		if a.undated {
			return true
		}
	}
	since, waits := q.oldest()
	rest := q.within / 8
	if now-since > q.within {
		rest = q.within
	}
	return waits && now-since > q.within/4 && now-q.inspectedAt >= min(inspectionRest*q.inspectionTime, rest)
}

// afterGap reports whether the reading before was so long ago that nothing is
// known of what was accepted since.
func (q *queue) afterGap() bool { return q.gap > q.within/2 }

// inspect takes the connections that wait, seen before the last count and after
// it, and returns how many more are counted than were seen both times: those
// that were reset, and those that came or were accepted meanwhile. gap is that
// the queue was blind before.
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
	for _, a := range q.sockets {
		if a.lastInspected > uint64(still) {
			a.setAccepted(a.lastInspected-uint64(still), q.countedAfter)
		}
		if still == 0 && gap {
			a.setAccepted(a.arrived(), now) // or else some that came in the gap would be as old as it
		}
		if a.undated {
			a.setOldest(oldest)
		}
		a.nowInspected = a.arrived()
	}
	return unseen
}

// setOldest takes it that the first of those that wait had come by the moment, though
// nobody read then.
func (a *socketQueue) setOldest(at time.Duration) {
	if a.undated = false; len(a.marks) > 0 && at < a.marks[0].at {
		a.marks = slices.Insert(a.marks, 0, mark{at, a.accepted + 1})
	}
}

// oldest is by when the connection that waits longest had come, and whether
// there is one.
func (q *queue) oldest() (since time.Duration, waits bool) {
	for _, a := range q.sockets {
		if len(a.marks) > 0 && (!waits || a.marks[0].at < since) {
			since, waits = a.marks[0].at, true
		}
	}
	return since, waits
}

// recheckIn is in how long the queue is to be read anew, lest one that was accepted in
// time is told to wait too long, for the time alone makes it so. It is 0 if there
// is no need.
func (q *queue) recheckIn(now time.Duration) time.Duration {
	since, waits := q.oldest()
	if !waits {
		return 0
	}
	return max(0, since+q.within-recheckMargin-now)
}

// waitingAt is how many wait, at all sockets.
func (q *queue) waiting() (n int) {
	for _, a := range q.sockets {
		n += a.waiting
	}
	return n
}

// setAccepted takes it that at least so many were accepted in all, and that as many
// more came than was known since the last look. Which of those that came since
// then were accepted is not known: all may have come by the moment at.
func (a *socketQueue) setAccepted(atLeast uint64, at time.Duration) {
	if atLeast <= a.accepted {
		return
	}
	a.accepted = atLeast
	for len(a.marks) > 0 && a.marks[len(a.marks)-1].arrived > a.lastInspected {
		a.marks = a.marks[:len(a.marks)-1]
	}
	if a.arrived() > a.lastInspected {
		a.marks = append(a.marks, mark{at, a.arrived()})
	}
	a.dropAccepted()
}

// dropAccepted drops the marks of connections that are all accepted.
func (a *socketQueue) dropAccepted() {
	i := 0
	for i < len(a.marks) && a.marks[i].arrived <= a.accepted {
		i++
	}
	a.marks = a.marks[i:]
}
