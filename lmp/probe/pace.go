package probe

import (
	"math/rand/v2"
	"time"
)

const (
	minDelay = 50 * time.Millisecond
	maxDelay = 250 * time.Millisecond
	jitter   = 0.2 // of the delay, either way, so that all who lost a server do not come at once
)

// pace tells how long to wait before a connection is made again. The zero value is
// ready.
type pace struct {
	last time.Duration // without jitter
}

// after returns 0 after a connection that has stood for long, so that a server
// that answers and hangs up does not make this program spin; then 50 ms doubling
// to 250 ms, each up to a fifth shorter or longer.
func (p *pace) after(stood time.Duration) time.Duration {
	if stood >= maxDelay {
		p.last = 0
		return 0
	}
	p.last = min(max(2*p.last, minDelay), maxDelay)
	return time.Duration(float64(p.last) * (1 - jitter + 2*jitter*rand.Float64()))
}
