package web

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/rate"
	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/internal/socket"
)

const (
	// A client that gets answers faster than this waits, on all its connections
	// together. Four balancers that check a thousand services a second each, behind
	// one address, do not.
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
const forgetAfter = guessBurst * guessInterval

// pacer bounds how fast each client gets answers.
type pacer struct {
	mu      sync.Mutex // guards what follows, and the answers of the clients
	clients map[netip.Prefix]*pacedClient
	swept   time.Time // when clients was last cleared of those that are gone
}

// pacedClient is one client: an address, or the network of an IPv6 address.
type pacedClient struct {
	answers rate.Bucket[time.Time]
	guesses *guesses
	conns   int       // open connections; guarded by the pacer's mutex, like left
	left    time.Time // when the last connection was closed
}

func newPacer() *pacer { return &pacer{clients: make(map[netip.Prefix]*pacedClient)} }

// add adds a connection, and returns its pace.
func (p *pacer) add(conn net.Conn) *pace {
	key, err := socket.ByAddress(conn)
	if err != nil {
		key = netip.Prefix{} // all that have no address are one client
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.swept) >= forgetAfter {
		maps.DeleteFunc(p.clients, func(_ netip.Prefix, c *pacedClient) bool { return c.conns == 0 && now.Sub(c.left) >= forgetAfter })
		p.swept = now
	}
	c := p.clients[key]
	if c == nil {
		c = &pacedClient{answers: rate.New[time.Time](clientPerSecond, clientBurst), guesses: newGuesses()}
		p.clients[key] = c
	}
	c.conns++
	added := &pace{pacer: p, client: c, own: rate.New[time.Time](connPerSecond, connBurst)}
	added.own.Take(connBurst, now)
	added.closed, added.stop = context.WithCancel(socket.Closed(conn))
	return added
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

// pace is the pace of one connection.
type pace struct {
	pacer  *pacer
	client *pacedClient
	own    rate.Bucket[time.Time] // used by one request after the other
	once   sync.Once
	closed context.Context // done once the connection is closed, whoever closes it
	stop   func()          // ends closed
}

// wait waits until the client may get one more answer. The error is errTooFast, or that
// of closed.
func (p *pace) wait() error {
	if p.own.Take(1, time.Now()) {
		return p.closed.Err()
	}
	wait, err := p.pacer.reserve(p.client)
	if err != nil {
		return err
	}
	if wait > 0 && !sleep.For(p.closed, wait) {
		p.pacer.giveBack(p.client)
	}
	return p.closed.Err()
}

// end ends the wait, and gives the connection back to the pacer.
func (p *pace) end() {
	p.once.Do(func() {
		p.stop()
		p.pacer.mu.Lock()
		defer p.pacer.mu.Unlock()
		if p.client.conns--; p.client.conns == 0 {
			p.client.left = time.Now()
		}
	})
}
