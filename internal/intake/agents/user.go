package agents

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/socket"
)

// user is what all connections of one user share. For root and landmarkd's own user
// only each connection has limits.
type user struct {
	connections int // open; guarded by connections.mu
	work        *bucket
	bytes       *bucket
	creation    *creationLock // of sessions whose services are new
	endings     endings       // of its sessions

	logger     *slog.Logger
	lastLogged atomic.Pointer[time.Time] // when it was last logged that programs of the user are slowed
}

func newUser(uid uint32, logger *slog.Logger) *user {
	u := &user{logger: logger.With("uid", uid)}
	if socket.Privileged(uid) {
		u.creation = newCreationLock(false)
		return u
	}
	u.creation = newCreationLock(true)
	u.work = newBucket(workPerSecond, workBurst)
	u.bytes = newBucket(userBytesPerSecond, userBytesBurst)
	return u
}

// endOne calls end, which ends a session of the service, when it is its turn. A nil u does not
// wait.
func (u *user) endOne(service string, end func()) {
	if u == nil {
		end()
		return
	}
	u.endings.one(service, end)
}

// logSlowed logs, at most once a minute, that the user's programs send more than
// may be read. own says that the limit of one stream or connection is reached, and
// not that of all of the user's. It does nothing if u is nil.
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
	u.logger.Warn("reports arrive faster than they may be read; if this goes on, services become stale; give the landmarks a longer Within, so that they report less often", "limit_of", limit)
}
