package registry

import (
	"fmt"
	"sync"
)

// MaxReportedPerUser bounds what the processes of one user can make the sidecar
// keep and judge: each session takes room for one, and each declared landmark
// for one more.
const MaxReportedPerUser = 65_536

// taken is how much of it each user has taken.
type room struct {
	mu    sync.Mutex
	taken map[uint32]int // by uid
}

// takeSlot takes room for n more, or returns an error that wraps ErrLimit.
func (r *room) take(uid uint32, n int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken[uid]+n > MaxReportedPerUser {
		return fmt.Errorf("%w sessions and landmarks: uid %d may have %d in all", ErrLimit, uid, MaxReportedPerUser)
	}
	if r.taken == nil {
		r.taken = make(map[uint32]int)
	}
	r.taken[uid] += n
	return nil
}

// give gives room for n back.
func (r *room) give(uid uint32, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken[uid] -= n; r.taken[uid] == 0 {
		delete(r.taken, uid)
	}
}
