package kernel

import (
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/rate"
)

// The limits on captures, because each reads up to some hundred small files: of all
// processes, and of those of one user, so that no user takes what another's need.
const (
	allPerSecond, allBurst   = 5, 32
	userPerSecond, userBurst = 3, 16
	// maxUsers is how many users are remembered whose captures are limited.
	maxUsers = 1024
)

// limiter limits captures.
type limiter struct {
	mu    sync.Mutex
	all   bucket             // guarded by mu
	users map[uint32]*bucket // guarded by mu
}

type bucket = rate.Bucket[time.Time]

func newLimiter() *limiter {
	return &limiter{all: rate.New[time.Time](allPerSecond, allBurst), users: make(map[uint32]*bucket)}
}

// take reports whether there may be one more capture of a process of the user now.
func (l *limiter) take(uid uint32, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	user := l.users[uid]
	if user == nil {
		if len(l.users) == maxUsers {
			clear(l.users)
		}
		user = new(rate.New[time.Time](userPerSecond, userBurst))
		l.users[uid] = user
	}
	return l.all.Has(1, now) && user.Take(1, now) && l.all.Take(1, now)
}
