package agent

import (
	"math/rand/v2"
	"time"
)

const (
	minDelay = 50 * time.Millisecond
	maxDelay = 500 * time.Millisecond
	jitter   = 0.2 // of the delay, either way

	// refusedDelay is the pace for a sidecar that refuses this program: it
	// takes a person to mend that, so there is no haste.
	refusedDelay = 5 * time.Second

	// establishedAfter is how long a welcomed stream must have stood for its
	// end to be met by redialling at once, so that a sidecar that welcomes and
	// hangs up does not make the program spin.
	establishedAfter = maxDelay
)

// A backoff tells how long to wait before the next dialling. The zero value is
// ready.
type backoff struct {
	last time.Duration // without jitter
}

// established notes that the stream that just ended had been standing.
func (b *backoff) established() { b.last = -1 }

// delay returns 0 after an established stream, then 50 ms doubling to 500 ms,
// each up to a fifth shorter or longer.
func (b *backoff) delay() time.Duration {
	if b.last < 0 {
		b.last = 0
		return 0
	}
	b.last = min(max(2*b.last, minDelay), maxDelay)
	return jittered(b.last)
}

func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*rand.Float64()))
}
