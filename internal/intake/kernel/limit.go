package kernel

import (
	"sync"
	"time"
)

// The limits on captures, because each reads up to some hundred small files: of all
// processes, and of those of one user, so that no user takes what another's need.
const (
	allPerSecond, allBurst   = 5, 32
	userPerSecond, userBurst = 3, 16
	// maxUsers is how many users are remembered whose captures are limited.
	maxUsers = 1024
)

// limiter limits captures. Its zero value allows a whole burst.
type limiter struct {
	mu    sync.Mutex
	all   bucket             // guarded by mu
	users map[uint32]*bucket // guarded by mu
}

// take reports whether there may be one more capture of a process of the user now.
func (l *limiter) take(uid uint32, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	user := l.users[uid]
	if user == nil {
		if l.users == nil || len(l.users) == maxUsers {
			l.users = make(map[uint32]*bucket)
		}
		user = new(bucket)
		l.users[uid] = user
	}
	return l.all.has(now, allPerSecond, allBurst) && user.take(now, userPerSecond, userBurst) && l.all.take(now, allPerSecond, allBurst)
}

// bucket is a token bucket.
type bucket struct{ fullAt time.Time } // when the whole burst is available again

// has reports whether there is one more token.
func (b *bucket) has(now time.Time, perSecond, burst int) bool {
	return b.next(now, perSecond).Sub(now) <= time.Duration(burst)*time.Second/time.Duration(perSecond)
}

// next returns fullAt once one more token is taken.
func (b *bucket) next(now time.Time, perSecond int) time.Time {
	at := b.fullAt
	if at.Before(now) {
		at = now
	}
	return at.Add(time.Second / time.Duration(perSecond))
}

// take takes a token, and reports whether there was one.
func (b *bucket) take(now time.Time, perSecond, burst int) bool {
	has := b.has(now, perSecond, burst)
	if has {
		b.fullAt = b.next(now, perSecond)
	}
	return has
}
