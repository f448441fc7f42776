package kernel

import (
	"sync"
	"time"
)

// limit is a token bucket for captures. Its zero value is full.
type limit struct {
	mu     sync.Mutex
	fullAt time.Time // when the whole burst is available again; guarded by mu
}

// take reports whether there may be one more capture now.
func (l *limit) take(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fullAt.Before(now) {
		l.fullAt = now
	}
	next := l.fullAt.Add(time.Second / perSecond)
	if next.Sub(now) > burst*time.Second/perSecond {
		return false
	}
	l.fullAt = next
	return true
}
