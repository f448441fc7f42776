package agents

import (
	"context"
	"time"

	"github.com/landmark-health/landmark/internal/rate"
)

// maxRest is the longest rest after a creation: every other new service of the user waits
// for its end.
const maxRest = 20 * time.Millisecond

// creationLock serializes the creation of services by the sessions of one user.
// Creating one takes the registry a long time, in which it creates no other. So a user with
// thousands of new services delays another user by one creation, not by all. A nil
// creationLock does not lock.
type creationLock struct {
	locked chan struct{} // holds a token while it is locked
	rests  bool
}

func newCreationLock(rests bool) *creationLock { return &creationLock{make(chan struct{}, 1), rests} }

// do waits for the lock and calls f, unless ctx is done first.
func (l *creationLock) do(ctx context.Context, f func() error) error {
	if l == nil {
		return f()
	}
	select {
	case l.locked <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	start := time.Now()
	err := f()
	if l.rests {
		time.AfterFunc(min(rate.RestAfter(time.Since(start)), maxRest), l.unlock)
	} else {
		l.unlock()
	}
	return err
}

func (l *creationLock) unlock() { <-l.locked }
