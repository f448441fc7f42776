package web

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

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
)

// forgetAfter is how long a client without a connection is kept. By then its whole burst
// of answers and of passwords is allowed again.
const forgetAfter = guessBurst * guessInterval

// pacer bounds how fast each client gets answers.
type pacer struct {
	mu      sync.Mutex // guards what follows
	clients map[netip.Prefix]*pacedClient
	swept   time.Time // when clients was last cleared of those that are gone
}

// pacedClient is one client: an address, or the network of an IPv6 address.
type pacedClient struct {
	answers *rate.Limiter
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
		c = &pacedClient{answers: rate.NewLimiter(clientPerSecond, clientBurst), guesses: newGuesses()}
		p.clients[key] = c
	}
	c.conns++
	own := rate.NewLimiter(connPerSecond, connBurst)
	own.AllowN(now, connBurst)
	return &pace{pacer: p, client: c, own: own, ended: make(chan struct{})}
}

// pace is the pace of one connection.
type pace struct {
	pacer  *pacer
	client *pacedClient
	own    *rate.Limiter
	once   sync.Once
	ended  chan struct{} // closed by end
}

// wait waits until the client may get one more answer, or until end.
func (p *pace) wait() {
	if p.own.Allow() {
		return
	}
	delay := p.client.answers.Reserve().Delay()
	if delay == 0 {
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ended:
	}
}

// end ends the wait, and gives the connection back to the pacer.
func (p *pace) end() {
	p.once.Do(func() {
		close(p.ended)
		p.pacer.mu.Lock()
		defer p.pacer.mu.Unlock()
		if p.client.conns--; p.client.conns == 0 {
			p.client.left = time.Now()
		}
	})
}
