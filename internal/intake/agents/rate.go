package agents

import (
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/rate"
)

// The limits on what is read from agents, so that no agent can keep landmarkd from
// the others. An agent sends at most a report every 25 ms, a change every 5 ms, and
// the answers to 100 get-state commands a second, of some hundred bytes each. More
// than the limits stays in the socket: the agent waits, and its reports age.
const (
	// reportsPerSecond and reportsBurst bound the reports of one stream. The burst
	// covers the reports that wait after a pause of landmarkd; otherwise a healthy
	// program would be stale until they are read. An agent that does not notice the
	// pause sends until 64 KiB are in the socket and 64 KiB in gRPC: 3,700 small
	// reports.
	reportsPerSecond = 400
	reportsBurst     = 4000
	// idleAfter is the time without reports after which no report of a flood is left.
	idleAfter = time.Second
	// workPerSecond and workBurst bound the work for the messages of one user: 1 unit
	// for each report, and more for expensive messages. That is enough for 1,000
	// programs with a smallest Within of 1 s, or for 100 that report as fast as an
	// agent may. With twice as much, one user's flood delays one answer in 400 by more
	// than 50 ms.
	workPerSecond = 4_000
	workBurst     = 20_000
	// bytesPerSecond and bytesBurst bound what is read from one connection, because
	// frames that carry no message take time, too.
	bytesPerSecond = 1 << 20
	bytesBurst     = 2 << 20
	// userBytesPerSecond and userBytesBurst bound what is read from all connections of
	// one user.
	userBytesPerSecond = 4 << 20
	userBytesBurst     = 16 << 20

	// The work of a Hello and of a Declaration. A message costs as much again for
	// every landmarksPerWork landmarks.
	helloWork        = 10
	declarationWork  = 10
	landmarksPerWork = 32
)

// bucket is a token bucket that never refuses. It is safe for concurrent use.
type bucket struct {
	idleUnits int // that are there once no unit of a flood can be left

	mu     sync.Mutex
	tokens rate.Bucket[time.Time] // guarded by mu
}

func newBucket(perSecond, burst int) *bucket {
	return &bucket{idleUnits: perSecond * int(idleAfter/time.Second), tokens: rate.New[time.Time](perSecond, burst)}
}

// take takes n units, and returns how long to wait before the next call. A nil
// bucket has no limit.
func (b *bucket) take(n int, now time.Time) (wait time.Duration) {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens.Reserve(n, now)
}

// idle reports whether the bucket has refilled so far that no unit of a flood can be
// left. One late call is not enough for that: the units that were due meanwhile are
// taken at once.
func (b *bucket) idle(now time.Time) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens.Has(b.idleUnits, now)
}
