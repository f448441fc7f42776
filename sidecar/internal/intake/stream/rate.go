package stream

import (
	"os"
	"sync"
	"time"
)

// What is taken of agents, so that none of them can keep landmarkd from the
// others. An agent reports every 25 ms at most, changes every 5 ms, and answers
// to 100 get-state commands a second, in some hundred bytes. More than that is
// left in the socket: the agent waits, and what it says gets old.
const (
	// reportsPerSecond and reportsAtOnce bound the reports of one stream. At
	// once there may be as many as wait after a pause of landmarkd's, or a
	// healthy program is stale until they are read. An agent that does not see
	// that nothing is read goes on until 64 KiB are on their way and 64 KiB wait
	// in gRPC: 3,700 small reports.
	reportsPerSecond = 400
	reportsAtOnce    = 4000
	// calmAfter is the time without reports after which none of a flood is left.
	calmAfter = time.Second
	// workPerSecond and workAtOnce bound what one user can make landmarkd do
	// with messages: 1 for each report, and more for what takes more.
	workPerSecond = 4_000
	workAtOnce    = 20_000
	// bytesPerSecond and bytesAtOnce bound what is read from a connection,
	// whatever it is: frames that carry no message take time too.
	bytesPerSecond = 1 << 20
	bytesAtOnce    = 2 << 20
	// userBytesPerSecond and userBytesAtOnce bound it for all connections of a
	// user.
	userBytesPerSecond = 4 << 20
	userBytesAtOnce    = 16 << 20

	// What a message costs of workPerSecond: a Hello, a Declaration, and as much
	// again for each so many landmarks of a message.
	helloWork       = 10
	declarationWork = 10
	landmarksOfWork = 32
)

// bucket allows so much in a second, and so much at once. It does not refuse,
// but says how long to wait, so all who share it get their turn in the order in
// which they ask.
type bucket struct {
	each  time.Duration // that one takes
	burst time.Duration // that all take that are allowed at once

	mu   sync.Mutex
	full time.Time // when all will be allowed again; guarded by mu
}

func newBucket(perSecond, atOnce int) *bucket {
	each := time.Second / time.Duration(perSecond)
	return &bucket{each: each, burst: time.Duration(atOnce) * each}
}

// take takes n, and returns for how long nothing more may be taken. A nil bucket
// allows everything.
func (b *bucket) take(n int, now time.Time) (wait time.Duration) {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full.Before(now) {
		b.full = now
	}
	b.full = b.full.Add(time.Duration(n) * b.each)
	return max(0, b.full.Sub(now)-b.burst)
}

// calm reports whether so much less than is allowed was taken lately that who
// takes cannot have had anything left to take. To be late with the next is no
// sign of that: what was due meanwhile is taken at once.
func (b *bucket) calm(now time.Time) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.full.Sub(now) < b.burst-calmAfter
}

// user is what all connections of one user share. Root and landmarkd's own user
// have no limits together, only each connection of theirs has.
type user struct {
	connections int // that it has open
	work        *bucket
	bytes       *bucket
	turn        *turn // of sessions whose services are new
}

func newUser(uid uint32) *user {
	if uid == 0 || uid == uint32(os.Geteuid()) {
		return &user{turn: newTurn(false)}
	}
	return &user{
		turn:  newTurn(true),
		work:  newBucket(workPerSecond, workAtOnce),
		bytes: newBucket(userBytesPerSecond, userBytesAtOnce),
	}
}
