package metrics

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
)

const (
	// spacing is the time from one scrape of a client to its next, as a multiple of what
	// a scrape takes. With 2 a client uses half a core at most.
	spacing = 2
	// firstTook is how long the first scrape is assumed to take.
	firstTook = 20 * time.Millisecond
	// maxDelay is the longest time from one scrape to the next.
	maxDelay = time.Second
	// maxWait is the longest that a scrape waits until it begins. Prometheus gives up
	// after 10 s, unless it is configured otherwise.
	maxWait = 5 * time.Second
)

// errTooMany means that too many scrapes of a client wait.
var errTooMany = errors.New("too many scrapes from your address wait for each other: scrape less often")

// pacer spaces the scrapes of each client. A scrape of a large installation takes some 65
// ms of the processor, and a client could ask for it again and again. It is no rate.Bucket,
// because what a scrape takes is known only afterwards.
type pacer struct {
	refused atomic.Uint64 // scrapes, because too many wait

	mu      sync.Mutex // guards what follows, with all that is in it
	clients map[netip.Prefix]*client
	took    time.Duration // the processor's time for the last whole scrape; 0 = there was none
}

// client is one client of the metrics.
type client struct {
	scrapes int       // that wait or are made
	next    time.Time // when the next one may begin
}

// begin waits until a scrape of the client may begin. The error is errTooMany, or ctx's.
// Without one, the caller calls end with how long the scrape used the processor, and whether
// it was made whole.
func (p *pacer) begin(ctx context.Context, from netip.Prefix) (end func(used time.Duration, whole bool), err error) {
	c, delay, interval, ok := p.enter(from)
	if !ok {
		p.refused.Add(1)
		return nil, errTooMany
	}
	if delay > 0 && !sleep.For(ctx, delay) {
		p.mu.Lock()
		defer p.mu.Unlock()
		c.scrapes--
		c.next = c.next.Add(-interval) // so that those who leave delay no other
		return nil, ctx.Err()
	}
	return func(used time.Duration, whole bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		c.scrapes--
		if whole {
			p.took = used
		}
	}, nil
}

// enter returns the client, how long its scrape has to wait, and the interval that it takes.
// It is not ok if it would wait too long.
func (p *pacer) enter(from netip.Prefix) (c *client, delay, interval time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(p.clients, func(_ netip.Prefix, c *client) bool { return c.scrapes == 0 && now.After(c.next) })
	if c = p.clients[from]; c == nil {
		c = new(client)
		if p.clients == nil {
			p.clients = make(map[netip.Prefix]*client)
		}
		p.clients[from] = c
	}
	if c.next.Before(now) {
		c.next = now
	}
	if delay = c.next.Sub(now); delay > maxWait {
		return nil, 0, 0, false
	}
	interval = min(spacing*cmp.Or(p.took, firstTook), maxDelay)
	c.scrapes++
	c.next = c.next.Add(interval)
	return c, delay, interval, true
}
