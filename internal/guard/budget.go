package guard

import (
	"maps"
	"sync"
	"time"
)

// Budget is what the connections of one listener may hold together beyond what
// each has of its own.
type Budget struct {
	mu      sync.Mutex    // guards what follows
	bytes   int           // of unread data that are left
	streams int           // that are left
	conns   map[*conn]int // streams taken, by connection
	sources map[any]*source
	swept   time.Time // when sources was last rid of those that are gone
}

// NewBudget returns a budget of so many bytes and streams.
func NewBudget(bytes, streams int) *Budget {
	return &Budget{bytes: bytes, streams: streams, conns: make(map[*conn]int), sources: make(map[any]*source)}
}

// takeBytes takes n bytes, which may be negative, and reports whether they were
// left.
func (b *Budget) takeBytes(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.bytes {
		return false
	}
	b.bytes -= n
	return true
}

// takeStream takes a stream for c. When none is left, it takes those of the
// greediest connection, which it returns and which must be closed: of the client
// that has the most, the one that has the most. It is not ok if c itself is that
// connection.
func (b *Budget) takeStream(c *conn) (displaced *conn, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streams <= 0 {
		if displaced = b.greediest(c); displaced == c {
			return nil, false
		}
		b.give(displaced, b.conns[displaced])
	}
	b.streams--
	b.conns[c]++
	c.source.open++
	return displaced, true
}

// greediest returns the connection that would have most if c had one more
// stream.
func (b *Budget) greediest(c *conn) *conn {
	client := func(of *conn) int {
		if of.source == c.source {
			return of.source.open + 1
		}
		return of.source.open
	}
	own := func(of *conn) int {
		if of == c {
			return b.conns[of] + 1
		}
		return b.conns[of]
	}
	worst := c
	for other := range b.conns {
		if client(other) > client(worst) || other.source == worst.source && own(other) > own(worst) {
			worst = other
		}
	}
	return worst
}

// give gives back n of c's streams.
func (b *Budget) give(c *conn, n int) {
	b.streams += n
	c.source.open -= n
	if b.conns[c] -= n; b.conns[c] == 0 {
		delete(b.conns, c)
	}
}

// giveStream gives back one of c's streams, unless c was displaced.
func (b *Budget) giveStream(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns[c] > 0 {
		b.give(c, 1)
	}
}

// giveAll gives back all of c's streams.
func (b *Budget) giveAll(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.give(c, b.conns[c])
}

// remember is how long a client without a connection is remembered, in which its
// rates have filled up again.
const remember = idleBurst / idlePerSecond * time.Second

// enter returns the source that a new connection of the client belongs to.
func (b *Budget) enter(client any) *source {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.swept) >= remember {
		maps.DeleteFunc(b.sources, func(_ any, s *source) bool { return s.conns == 0 && now.Sub(s.left) >= remember })
		b.swept = now
	}
	s := b.sources[client]
	if s == nil {
		s = newSource()
		b.sources[client] = s
	}
	s.conns++
	return s
}

// leave gives back what c has of the budget.
func (b *Budget) leave(c *conn) {
	b.giveAll(c)
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.source.conns--; c.source.conns == 0 {
		c.source.left = time.Now()
	}
}
