package recorder

import (
	"sync"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

const (
	// userBurst is how many bytes of lines about the services of one user may be written at
	// once, and userRate how many a second go on. So no user can displace what the journal
	// has of others within days. Root and landmarkd's own user have no limit.
	userBurst = 32 << 20
	userRate  = 2 << 10
	// resumeAt is how many bytes must be free before lines are written again.
	resumeAt = 1 << 20
)

// budgets are what users may write.
type budgets struct {
	mu     sync.Mutex
	byUser map[uint32]*budget // guarded by mu
}

// budget is what is left for one user at an instant.
type budget struct {
	left float64
	at   judge.Instant
}

// take takes n bytes for the owner of a service if at least n and least are left.
func (b *budgets) take(owner uint32, n, least int, now judge.Instant) bool {
	if registry.Trusted(owner) {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byUser == nil {
		b.byUser = make(map[uint32]*budget)
	}
	u := b.byUser[owner]
	if u == nil {
		u = &budget{userBurst, now}
		b.byUser[owner] = u
	}
	if elapsed := now.Sub(u.at); elapsed > 0 {
		u.left = min(userBurst, u.left+userRate*elapsed.Seconds())
		u.at = now
	}
	if u.left < float64(max(n, least)) {
		return false
	}
	u.left -= float64(n)
	return true
}
