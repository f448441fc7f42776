package agents

import (
	"context"
	"time"
)

const (
	// turnRest is for how many times as long as it took the turn stays taken
	// afterwards, but maxTurnRest at most. So the new services of one user take a
	// tenth of a processor.
	turnRest    = 9
	maxTurnRest = 20 * time.Millisecond
)

// turn is for what takes the registry long and is done one at a time, which is to
// make a new service. The sessions of one user do it one after the other, so that
// a user with thousands of new services makes another user wait for one of them,
// and not for all. A nil turn allows everything.
type turn struct {
	taken chan struct{}
	rests bool
}

func newTurn(rests bool) *turn { return &turn{make(chan struct{}, 1), rests} }

// take waits for the turn and calls f, unless ctx is done first.
func (t *turn) take(ctx context.Context, f func() error) error {
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
		time.AfterFunc(min(turnRest*time.Since(begun), maxTurnRest), t.give)
	} else {
		t.give()
	}
	return err
}

func (t *turn) give() { <-t.taken }
