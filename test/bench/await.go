package main

import (
	"context"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/test/bench/load"
)

// await calls check until it returns nil, and returns its error if it does not in time. On
// a starved host, what should happen while something is measured may happen later.
func await(ctx context.Context, check func() error) error {
	for began := time.Now(); ; {
		err := check()
		if err == nil || time.Since(began) >= load.Patience || !sleep.For(ctx, 20*time.Millisecond) {
			return err
		}
	}
}
