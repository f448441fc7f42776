// Package sleep sleeps until a time has passed or a context is done.
package sleep

import (
	"context"
	"time"
)

// For sleeps for d. It returns false if ctx is done before.
func For(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
