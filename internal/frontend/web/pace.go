package web

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/rate"
	"github.com/landmark-health/landmark/internal/socket"
)

const (
	// A client that gets answers faster than this, on all its connections together,
	// waits. Four balancers behind one address that each check a thousand services a
	// second stay within it.
	clientPerSecond = 4000
	clientBurst     = 1000
	// A connection earns these answers beside, so that a slow one does not wait for
	// busy ones of the same address. A new one has none, because a new connection
	// costs more than an answer.
	connPerSecond = 2
	connBurst     = 5
	// maxPaceWait is the longest that a client waits for one more answer. Otherwise
	// its connection is closed, so that those who share its address never wait longer.
	maxPaceWait = 250 * time.Millisecond
)

// errTooFast means that a client must not get one more answer now.
var errTooFast = errors.New("the client's requests arrive too fast")

// forgetAfter is how long a client without a connection is kept. By then its whole burst
// of answers and of passwords is allowed again.
const forgetAfter = attemptBurst * attemptInterval

// A client that has a right password is kept longer, so that one that checks seldom, over a
// new connection each time, does not wait for those who try passwords at its address.
const (
	forgetKnownAfter = time.Hour
	// maxKnown is how many such clients without a connection are kept: the latest.
	maxKnown = 512
)

// pacer bounds how fast each client gets answers.
type pacer struct {
	mu      sync.Mutex // guards what follows, and the answers of the clients
	clients map[netip.Prefix]*pacedClient
	swept   time.Time // when clients was last cleared of those that are gone

	checks chan struct{} // holds a token while a password is checked that is not known as right
}

// pacedClient is one client: an address, or the network of an IPv6 address.
type pacedClient struct {
	answers   rate.Bucket[time.Time]
	attempts  *attempts
	conns     int       // open connections; guarded by the pacer's mutex, like emptiedAt
	emptiedAt time.Time // when the last connection was closed
}

func newPacer() *pacer {
	return &pacer{clients: make(map[netip.Prefix]*pacedClient), checks: make(chan struct{}, 1)}
}

// add adds a connection, and returns its client. The caller calls remove once the
// connection is closed.
func (p *pacer) add(conn net.Conn) *pacedClient {
	key, err := socket.ByAddress(conn)
	if err != nil {
		key = netip.Prefix{} // all that have no address are one client
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.swept) >= forgetAfter {
		p.sweep(now)
	}
	c := p.clients[key]
	if c == nil {
		c = &pacedClient{answers: rate.New[time.Time](clientPerSecond, clientBurst), attempts: newAttempts(p.checks)}
		p.clients[key] = c
	}
	c.conns++
	return c
}

// sweep forgets clients that are gone. The caller holds mu.
func (p *pacer) sweep(now time.Time) {
	p.swept = now
	var known []netip.Prefix
	for key, c := range p.clients {
		gone := now.Sub(c.emptiedAt)
		switch {
		case c.conns > 0 || gone < forgetAfter:
		case gone < forgetKnownAfter && c.attempts.knowsAny():
			known = append(known, key)
		default:
			delete(p.clients, key)
		}
	}
	if over := len(known) - maxKnown; over > 0 {
		slices.SortFunc(known, func(a, b netip.Prefix) int { return p.clients[a].emptiedAt.Compare(p.clients[b].emptiedAt) })
		for _, key := range known[:over] {
			delete(p.clients, key)
		}
	}
}

// remove removes a connection of the client.
func (p *pacer) remove(c *pacedClient) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.conns--; c.conns == 0 {
		c.emptiedAt = time.Now()
	}
}

// reserve returns how long the client must wait for one more answer, and counts it. The
// error is errTooFast.
func (p *pacer) reserve(c *pacedClient) (wait time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait = c.answers.Reserve(1, time.Now()); wait > maxPaceWait {
		c.answers.GiveBack(1)
		return 0, errTooFast
	}
	return wait, nil
}

// giveBack gives back an answer that was reserved for the client.
func (p *pacer) giveBack(c *pacedClient) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.answers.GiveBack(1)
}
