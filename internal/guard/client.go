package guard

import (
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/rate"
)

// bucket is a token bucket.
type bucket = rate.Bucket[time.Time]

// client is one client. Its connections share these rates, and each connection
// has a smaller allowance of its own. So a client gains nothing by opening more
// connections, and a slow connection does not wait for a busy one of the same
// address.
type client struct {
	conns int       // open connections; guarded by the budget's mutex, like the next two
	open  int       // streams that they have taken from the budget
	left  time.Time // when the last connection was closed

	mu       sync.Mutex // guards what follows
	streams  bucket
	overhead bucket
}

func newClient() *client {
	return &client{
		streams:  rate.New[time.Time](clientStreamsPerSecond, clientStreamsBurst),
		overhead: rate.New[time.Time](clientOverheadPerSecond, clientOverheadBurst),
	}
}

// reserveStream returns how long to wait before one more stream.
func (c *client) reserveStream(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams.Reserve(1, now)
}

// giveBackStreams gives back n streams that were reserved, and will not be served because
// their connection is closed.
func (c *client) giveBackStreams(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams.GiveBack(n)
}

// allowOverhead reports whether one more frame without a request is allowed.
func (c *client) allowOverhead(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.overhead.Take(1, now)
}
