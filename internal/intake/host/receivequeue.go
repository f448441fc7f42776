package host

import "time"

const (
	// provenBy is at how many readings datagrams must have arrived, and none been read,
	// before the queue counts as stuck. One datagram that waits at each reading proves
	// nothing: a busy program may have one waiting all the time.
	provenBy = 3
	// samples is into how many parts of Within the time between two readings of a queue
	// is reduced that may be stuck.
	samples = 64
	// minSample is the least time between two such readings.
	minSample = 5 * time.Millisecond
)

// receiveQueue estimates how long no datagram has been read at one UDP address, over
// all sockets there, while some wait.
//
// The kernel reports neither how old the datagrams of a queue are, nor how many were
// read, only how many bytes they take. But it gives the memory of what was read back
// late, and reports that as well. So a datagram was read if the queue has become
// shorter, or the memory not given back yet has changed. What is read between two
// readings is not seen if as much arrives, and that memory is the same: a queue of few
// datagrams. So the queue counts as stuck only if datagrams have arrived at several
// readings, or fill half of the buffer, and none was seen to be read.
type receiveQueue struct {
	within  time.Duration           // how long a datagram may wait, by the strictest landmark
	sockets map[uint64]*socketState // by cookie
}

// socketState is what is known of one socket.
type socketState struct {
	memory
	since    time.Duration // no datagram was seen to be read since; the queue was not empty
	arrivals int           // readings since then at which datagrams had arrived
}

// memory is the memory of a UDP socket.
type memory struct {
	bytes  uint32 // of the datagrams that wait
	unfree uint32 // bytes of datagrams that were read, not given back yet
	drops  uint32 // datagrams dropped
	limit  uint32 // bytes that may wait
}

// count records the state of each socket now. It forgets sockets that no longer exist.
func (q *receiveQueue) count(sockets []listener, now time.Duration) {
	known := q.sockets
	q.sockets = make(map[uint64]*socketState, len(sockets))
	for _, l := range sockets {
		s := known[l.cookie]
		switch {
		case l.bytes == 0:
			s = nil
		case s == nil || l.bytes < s.bytes || l.unfree != s.unfree:
			s = &socketState{since: now}
		case l.bytes > s.bytes || l.drops != s.drops:
			s.arrivals++
		}
		if s != nil {
			s.memory = l.memory
			q.sockets[l.cookie] = s
		}
	}
}

// proven reports whether what is known of the socket shows that its queue is stuck, if
// it stays as it is for long enough.
func (s *socketState) proven() bool {
	return s.arrivals >= provenBy || s.bytes > s.limit/2
}

// stuck returns since when no datagram was read, and how many bytes wait, of the
// socket for which that is longest. It is not ok if no queue may be stuck.
func (q *receiveQueue) stuck() (since time.Duration, waiting uint32, ok bool) {
	for _, s := range q.sockets {
		if s.proven() && (!ok || s.since < since) {
			since, waiting, ok = s.since, s.bytes, true
		}
	}
	return since, waiting, ok
}

// recheckIn returns the time until the queue must be read again, because it may be
// stuck soon. It is 0 if it need not.
func (q *receiveQueue) recheckIn(now time.Duration) time.Duration {
	for _, s := range q.sockets {
		if waited := now - s.since; waited > q.within/2 && waited <= q.within {
			return max(q.within/samples, minSample)
		}
	}
	return 0
}
