package guard

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Budget is what all connections of a listener may use together, beyond what each
// connection may use by itself. Its methods are safe for concurrent use.
type Budget struct {
	tooFast atomic.Uint64 // connections closed because they opened streams too fast

	mu      sync.Mutex    // guards what follows
	bytes   int           // of unread data that are left
	streams int           // that are left
	conns   map[*conn]int // streams taken, by connection
	clients map[any]*client
	swept   time.Time // when clients was last cleared of those that are gone
}

// NewBudget returns a budget of the given numbers of bytes and streams.
func NewBudget(bytes, streams int) *Budget {
	return &Budget{bytes: bytes, streams: streams, conns: make(map[*conn]int), clients: make(map[any]*client)}
}

// TooFast returns how many connections were closed because their client opens streams too
// fast.
func (b *Budget) TooFast() uint64 { return b.tooFast.Load() }

// takeBytes takes n bytes, which may be negative. It reports whether that many
// were left.
func (b *Budget) takeBytes(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.bytes {
		return false
	}
	b.bytes -= n
	return true
}

// takeStream takes a stream for c. If none is left, it takes the streams of
// another connection, which it returns and which the caller must close: the
// largest connection of the client that has the most streams. It is not ok if c
// itself is that connection.
func (b *Budget) takeStream(c *conn) (displaced *conn, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streams <= 0 {
		if displaced = b.largest(c); displaced == c {
			return nil, false
		}
		b.returnStreams(displaced, b.conns[displaced])
	}
	b.streams--
	b.conns[c]++
	c.client.open++
	return displaced, true
}

// largest returns the connection that would have the most streams if c had one
// more.
func (b *Budget) largest(c *conn) *conn {
	ofClient := func(other *conn) int {
		if other.client == c.client {
			return other.client.open + 1
		}
		return other.client.open
	}
	ofConn := func(other *conn) int {
		if other == c {
			return b.conns[other] + 1
		}
		return b.conns[other]
	}
	largest := c
	for other := range b.conns {
		if ofClient(other) > ofClient(largest) || other.client == largest.client && ofConn(other) > ofConn(largest) {
			largest = other
		}
	}
	return largest
}

// returnStreams returns n of c's streams. The caller holds b.mu.
func (b *Budget) returnStreams(c *conn, n int) {
	b.streams += n
	c.client.open -= n
	if b.conns[c] -= n; b.conns[c] == 0 {
		delete(b.conns, c)
	}
}

// returnStream returns one of c's streams, unless c was displaced.
func (b *Budget) returnStream(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns[c] > 0 {
		b.returnStreams(c, 1)
	}
}

// returnAll returns all of c's streams.
func (b *Budget) returnAll(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.returnStreams(c, b.conns[c])
}

// forgetAfter is how long a client without a connection is kept. By then its
// rates allow their full burst again.
const forgetAfter = clientOverheadBurst / clientOverheadPerSecond * time.Second

// add adds a connection of the client with the given key, and returns the client.
func (b *Budget) add(key any) *client {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.swept) >= forgetAfter {
		maps.DeleteFunc(b.clients, func(_ any, c *client) bool { return c.conns == 0 && now.Sub(c.left) >= forgetAfter })
		b.swept = now
	}
	c := b.clients[key]
	if c == nil {
		c = newClient()
		b.clients[key] = c
	}
	c.conns++
	return c
}

// remove removes the connection, and returns what it took.
func (b *Budget) remove(c *conn) {
	b.returnAll(c)
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.client.conns--; c.client.conns == 0 {
		c.client.left = time.Now()
	}
}
