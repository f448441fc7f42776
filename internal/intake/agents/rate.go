package agents

import (
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
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
	// with messages: 1 for each report, and more for what takes more. That is
	// 1,000 programs whose smallest Within is 1 s, or 100 that report as fast as
	// an agent may. With twice as much, a user who floods has one answer in 400
	// wait for over 50 ms.
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

	logger *slog.Logger
	warned atomic.Pointer[time.Time] // when it was last logged that programs of the user are slowed
}

func newUser(uid uint32, logger *slog.Logger) *user {
	u := &user{logger: logger.With("uid", uid)}
	if uid == 0 || uid == uint32(os.Geteuid()) {
		u.turn = newTurn(false)
		return u
	}
	u.turn = newTurn(true)
	u.work = newBucket(workPerSecond, workAtOnce)
	u.bytes = newBucket(userBytesPerSecond, userBytesAtOnce)
	return u
}

// slowed logs, once a minute, that more comes of the user's programs than may be
// read: by one program's own limit, or by that of all of them. It does nothing
// when u is nil.
func (u *user) slowed(own bool, now time.Time) {
	if u == nil {
		return
	}
	last := u.warned.Load()
	if last != nil && now.Sub(*last) < time.Minute || !u.warned.CompareAndSwap(last, &now) {
		return
	}
	limit := "all programs of the user"
	if own {
		limit = "one program"
	}
	u.logger.Warn("reports arrive faster than they may be read; if that goes on, services become stale; give the landmarks a longer Within, so that they report less often", "limit_of", limit)
}
