package metrics

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/internal/socket"
)

const (
	// share is the part of a core that the scrapes of one client use at most, as the
	// time from one to the next for each time that one takes.
	share = 2
	// firstTook is what the first scrape is taken for.
	firstTook = 20 * time.Millisecond
	// maxDelay is the longest time from one scrape to the next.
	maxDelay = time.Second
)

// pacer spaces the scrapes of each client. A scrape of a large installation takes some 65
// ms of the processor, and a client could ask for it again and again.
type pacer struct {
	mu      sync.Mutex // guards what follows, with all that is in it
	clients map[netip.Prefix]*client
	took    time.Duration // the processor's time for the last scrape; 0 = there was none
}

// client is one client of the metrics.
type client struct {
	scrapes int       // that wait or are made
	next    time.Time // when the next one may begin
}

// begin waits until a scrape of the client may begin. It reports false if ctx is done
// before. Otherwise the caller calls end with how long the scrape used the processor.
func (p *pacer) begin(ctx context.Context, from netip.Prefix) (end func(used time.Duration), ok bool) {
	c, delay := p.enter(from)
	if delay > 0 && !sleep.For(ctx, delay) {
		p.mu.Lock()
		defer p.mu.Unlock()
		c.scrapes--
		return nil, false
	}
	return func(used time.Duration) {
		p.mu.Lock()
		defer p.mu.Unlock()
		c.scrapes--
		p.took = used
	}, true
}

// enter returns the client, and how long its scrape has to wait.
func (p *pacer) enter(from netip.Prefix) (c *client, delay time.Duration) {
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
	c.scrapes++
	if c.next.Before(now) {
		c.next = now
	}
	delay = c.next.Sub(now)
	c.next = c.next.Add(min(share*cmp.Or(p.took, firstTook), maxDelay))
	return c, delay
}

// clientOf returns the client that sends a request. All without an address are one.
func clientOf(r *http.Request) netip.Prefix {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	client, _ := socket.ClientAt(from.Addr()) // fails for no address
	return client
}
