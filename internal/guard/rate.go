package guard

import (
	"sync"
	"time"
)

// rate is a token bucket. It is not safe for concurrent use.
type rate struct {
	perSecond float64
	burst     float64
	tokens    float64   // as of at
	at        time.Time // when tokens was last updated
}

func newRate(perSecond, burst float64) rate {
	return rate{perSecond: perSecond, burst: burst, tokens: burst, at: time.Now()}
}

// fill adds the tokens that were earned since the last call.
func (r *rate) fill(now time.Time) {
	r.tokens = min(r.burst, r.tokens+now.Sub(r.at).Seconds()*r.perSecond)
	r.at = now
}

// allow takes a token if there is one, and reports whether it did.
func (r *rate) allow(now time.Time) bool {
	r.fill(now)
	if r.tokens < 1 {
		return false
	}
	r.tokens--
	return true
}

// reserve takes a token, and returns how long to wait until it may be used.
func (r *rate) reserve(now time.Time) time.Duration {
	r.fill(now)
	r.tokens--
	return time.Duration(max(0, -r.tokens) / r.perSecond * float64(time.Second))
}

// client is one client. Its connections share these rates, and each connection
// has a smaller allowance of its own. So a client gains nothing by opening more
// connections, and a slow connection does not wait for a busy one of the same
// address.
type client struct {
	conns int       // open connections; guarded by the budget's mutex, like the next two
	open  int       // streams that they have taken from the budget
	left  time.Time // when the last connection was closed

	mu       sync.Mutex // guards what follows
	streams  rate
	overhead rate
}

func newClient() *client {
	return &client{
		streams:  newRate(clientStreamsPerSecond, clientStreamsBurst),
		overhead: newRate(clientOverheadPerSecond, clientOverheadBurst),
	}
}

// reserveStream returns how long to wait before one more stream.
func (c *client) reserveStream(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams.reserve(now)
}

// allowOverhead reports whether one more frame without a request is allowed.
func (c *client) allowOverhead(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.overhead.allow(now)
}
