package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// maxAddresses is how many addresses of a name are tried at most, if necessary all
	// at the same time.
	maxAddresses = 8

	// maxStagger is the longest delay between the first tries of two addresses
	// (RFC 8305, section 5: Connection Attempt Delay).
	maxStagger = 250 * time.Millisecond
)

// race calls attempt for each address, the first one at once, and returns the first
// value without an error. It tries the next address when an attempt fails or calls
// onError, and otherwise after a part of limit, such that the last address still has
// half of limit. The earlier attempts continue meanwhile. race passes a value that
// comes too late to discard. When race returns, no attempt is running.
func race[T any](ctx context.Context, addresses []string, limit time.Duration,
	attempt func(ctx context.Context, address string, onError func()) (T, error), discard func(T),
) (T, error) {
	if len(addresses) == 1 {
		return attempt(ctx, addresses[0], func() {})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		address int
		value   T
		err     error
	}
	results := make(chan result)
	errorSignals := make(chan struct{}, len(addresses))
	stagger := min(limit/time.Duration(2*(len(addresses)-1)), maxStagger)
	timer := time.NewTimer(stagger)
	defer timer.Stop()
	running, started := 0, 0
	next := func() {
		if started == len(addresses) || ctx.Err() != nil {
			return
		}
		i := started
		started++
		running++
		timer.Reset(stagger)
		go func() {
			onError := sync.OnceFunc(func() { errorSignals <- struct{}{} })
			value, err := attempt(ctx, addresses[i], onError)
			results <- result{i, value, err}
		}()
	}

	failed := make(addressErrors, len(addresses))
	var none T
	for next(); running > 0; {
		select {
		case <-timer.C:
			next()
		case <-errorSignals:
			next()
		case r := <-results:
			running--
			if r.err != nil {
				failed[r.address] = fmt.Errorf("%s: %w", addresses[r.address], r.err)
				next()
				continue
			}
			cancel()
			for ; running > 0; running-- {
				if late := <-results; late.err == nil {
					discard(late.value)
				}
			}
			return r.value, nil
		}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return none, ctx.Err()
	}
	return none, failed[:started]
}

// addressErrors has the error of each address of a name.
type addressErrors []error

func (e addressErrors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (e addressErrors) Unwrap() []error { return e }
