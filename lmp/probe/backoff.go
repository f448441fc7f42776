package probe

import (
	"math/rand/v2"
	"time"
)

const (
	minDelay = 50 * time.Millisecond
	maxDelay = 250 * time.Millisecond
	jitter   = 0.2 // of the delay, either way, so that the clients of a lost server do not return together
)

// backoff computes the delay before the next connection. The zero value is ready.
type backoff struct {
	last time.Duration // without jitter
}

// next returns 0 after a connection that was up for at least maxDelay, so that a
// server that answers and hangs up does not make this program spin. Otherwise it
// returns 50 ms, doubling to 250 ms, each up to a fifth shorter or longer.
func (b *backoff) next(uptime time.Duration) time.Duration {
	if uptime >= maxDelay {
		b.last = 0
		return 0
	}
	b.last = min(max(2*b.last, minDelay), maxDelay)
	return time.Duration(float64(b.last) * (1 - jitter + 2*jitter*rand.Float64()))
}
