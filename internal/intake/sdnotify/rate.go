package sdnotify

import (
	"maps"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/rate"
	"github.com/landmark-health/landmark/internal/socket"
)

// The limits on what is taken from the datagrams of one user, in units of work. What is
// beyond them is dropped: it cannot stay in the socket, which all users share.
const (
	// unitsPerSecond and unitsBurst are enough for 400 programs that send as often as
	// the C header may, 40 times a second.
	unitsPerSecond = 20_000
	unitsBurst     = 20_000
	// What is done for a datagram: reading it is 1 unit.
	findUnits   = 20  // to find out who an unknown sender is, or which process it names
	reportUnits = 4   // to report a change at once, and not with the next report
	createUnits = 200 // to create a service: the registry copies all their names
)

// bucket has the units of one sender.
type bucket struct {
	rate.Bucket[time.Time]
	loggedAt time.Time // when it was last logged that it refuses
}

// sender is whose datagrams share a limit: a user, or of root and landmarkd's own user
// each process.
type sender struct {
	uid uint32
	pid int // 0 for other users
}

func senderOf(uid uint32, pid int) sender {
	if socket.Privileged(uid) {
		return sender{uid, pid}
	}
	return sender{uid: uid}
}

// limiter has the buckets of all senders. It is safe for concurrent use.
type limiter struct {
	mu      sync.Mutex
	buckets map[sender]*bucket // those that are not full, and some others; guarded by mu
	swept   time.Time          // when the full ones were last removed; guarded by mu
}

const (
	sweepInterval = 10 * time.Second
	logInterval   = time.Minute
)

func newLimiter() *limiter { return &limiter{buckets: make(map[sender]*bucket)} }

// take takes n units of the sender's. It reports whether it did, and if not, whether
// that must be logged.
func (l *limiter) take(s sender, n int, now time.Time) (taken, log bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) >= sweepInterval {
		maps.DeleteFunc(l.buckets, func(_ sender, b *bucket) bool { return b.Has(unitsBurst, now) && now.Sub(b.loggedAt) >= logInterval })
		l.swept = now
	}
	b := l.buckets[s]
	if b == nil {
		b = &bucket{Bucket: rate.New[time.Time](unitsPerSecond, unitsBurst)}
		l.buckets[s] = b
	}
	if b.Take(n, now) {
		return true, false
	}
	if log = now.Sub(b.loggedAt) >= logInterval; log {
		b.loggedAt = now
	}
	return false, log
}
