package agents

import (
	"context"
	"time"
)

const (
	// restFactor is for how many times as long as it took the turn stays taken
	// afterwards, but maxTurnRest at most. So the new services of one user take a
	// tenth of a processor.
	restFactor = 9
	maxRest    = 20 * time.Millisecond
)

// creation is for what takes the registry long and is done one at a time, which is to
// make a new service. The sessions of one user do it one after the other, so that
// a user with thousands of new services makes another user wait for one of them,
// and not for all. A nil turn allows everything.
type creationLock struct {
	taken chan struct{}
	rests bool
}

func newCreationLock(rests bool) *creationLock { return &creationLock{make(chan struct{}, 1), rests} }

// handle waits for the turn and calls f, unless ctx is done first.
func (t *creationLock) do(ctx context.Context, f func() error) error {
	if t == nil {
		return f()
	}
	select {
	case t.taken <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	begun := time.Now()
	err := f()
	if t.rests {
		time.AfterFunc(min(restFactor*time.Since(begun), maxRest), t.release)
	} else {
		t.release()
	}
	return err
}

func (t *creationLock) release() { <-t.taken }
