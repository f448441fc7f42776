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
	reportsBurst     = 4000
	// idleAfter is the time without reports after which none of a flood is left.
	idleAfter = time.Second
	// workPerSecond and workAtOnce bound what one user can make landmarkd do
	// with messages: 1 for each report, and more for what takes more. That is
	// 1,000 programs whose smallest Within is 1 s, or 100 that report as fast as
	// an agent may. With twice as much, a user who floods has one answer in 400
	// wait for over 50 ms.
	workPerSecond = 4_000
	workBurst     = 20_000
	// bytesPerSecond and bytesAtOnce bound what is read from a connection,
	// whatever it is: frames that carry no message take time too.
	bytesPerSecond = 1 << 20
	bytesBurst     = 2 << 20
	// userBytesPerSecond and userBytesAtOnce bound it for all connections of a
	// user.
	userBytesPerSecond = 4 << 20
	userBytesBurst     = 16 << 20

	// What a message costs of workPerSecond: a Hello, a Declaration, and as much
	// again for each so many landmarks of a message.
	helloWork        = 10
	declarationWork  = 10
	landmarksPerWork = 32
)

// bucket allows so much in a second, and so much at once. It does not refuse,
// but says how long to wait, so all who share it get their turn in the order in
// which they ask.
type bucket struct {
	perUnit time.Duration // that one takes
	burst   time.Duration // that all take that are allowed at once

	mu     sync.Mutex
	fullAt time.Time // when all will be allowed again; guarded by mu
}

func newBucket(perSecond, atOnce int) *bucket {
	each := time.Second / time.Duration(perSecond)
	return &bucket{perUnit: each, burst: time.Duration(atOnce) * each}
}

// handle takes n, and returns for how long nothing more may be taken. A nil bucket
// allows everything.
func (b *bucket) take(n int, now time.Time) (wait time.Duration) {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fullAt.Before(now) {
		b.fullAt = now
	}
	b.fullAt = b.fullAt.Add(time.Duration(n) * b.perUnit)
	return max(0, b.fullAt.Sub(now)-b.burst)
}

// idle reports whether so much less than is allowed was taken lately that who
// takes cannot have had anything left to take. To be late with the next is no
// sign of that: what was due meanwhile is taken at once.
func (b *bucket) idle(now time.Time) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fullAt.Sub(now) < b.burst-idleAfter
}

// user is what all connections of one user share. Root and landmarkd's own user
// have no limits together, only each connection of theirs has.
type user struct {
	connections int // that it has open
	work        *bucket
	bytes       *bucket
	creation    *creationLock // of sessions whose services are new

	logger     *slog.Logger
	lastLogged atomic.Pointer[time.Time] // when it was last logged that programs of the user are slowed
}

func newUser(uid uint32, logger *slog.Logger) *user {
	u := &user{logger: logger.With("uid", uid)}
	if uid == 0 || uid == uint32(os.Geteuid()) {
		u.creation = newCreationLock(false)
		return u
	}
	u.creation = newCreationLock(true)
	u.work = newBucket(workPerSecond, workBurst)
	u.bytes = newBucket(userBytesPerSecond, userBytesBurst)
	return u
}

// logSlowed logs, once a minute, that more comes of the user's programs than may be
// read: by one program's own limit, or by that of all of them. It does nothing
// when u is nil.
func (u *user) logSlowed(own bool, now time.Time) {
	if u == nil {
		return
	}
	last := u.lastLogged.Load()
	if last != nil && now.Sub(*last) < time.Minute || !u.lastLogged.CompareAndSwap(last, &now) {
		return
	}
	limit := "all programs of the user"
	if own {
		limit = "one program"
	}
	u.logger.Warn("reports arrive faster than they may be read; if that goes on, services become stale; give the landmarks a longer Within, so that they report less often", "limit_of", limit)
}
