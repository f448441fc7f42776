package recorder

import (
	"sync"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/rate"
	"github.com/landmark-health/landmark/internal/socket"
)

const (
	// userBurst is how many bytes of lines about the services of one user may be written at
	// once, and userRate how many a second go on. So no user can displace what the journal
	// has of others within days. Root and landmarkd's own user have no limit. Services that
	// only the configuration names are together one user's: what is written of them may be
	// up to a program of any user, which landmarkd checks.
	userBurst = 32 << 20
	userRate  = 2 << 10
	// resumeAt is how many bytes must be free before lines are written again.
	resumeAt = 1 << 20
)

// budgets are what users may write.
type budgets struct {
	mu     sync.Mutex
	byUser map[uint32]*rate.Bucket[judge.Instant] // of bytes; guarded by mu
}

// take takes n bytes for the owner of a service if at least n and least are left.
func (b *budgets) take(owner uint32, n, least int, now judge.Instant) bool {
	if socket.Privileged(owner) {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byUser == nil {
		b.byUser = make(map[uint32]*rate.Bucket[judge.Instant])
	}
	u := b.byUser[owner]
	if u == nil {
		u = new(rate.New[judge.Instant](userRate, userBurst))
		b.byUser[owner] = u
	}
	return u.Has(least, now) && u.Take(n, now)
}
