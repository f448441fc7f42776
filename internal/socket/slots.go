package socket

import (
	"container/heap"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// slots are the open connections of a limitedListener, by client.
type slots[K comparable] struct {
	mu      sync.Mutex // guards what follows
	taken   int
	clients map[K]*client[K]
	// byCount holds the clients that are not privileged, in the order in which a
	// newcomer displaces their connections.
	byCount clientHeap[K]
}

// client is one client and its connections.
type client[K comparable] struct {
	key        K
	privileged bool
	index      int      // in byCount
	conns      connHeap // the idlest first
}

func newSlots[K comparable]() *slots[K] {
	return &slots[K]{clients: make(map[K]*client[K])}
}

// reserve gives conn a slot. If there is none, it returns the connection that the
// caller must close first, and its client. It is not ok if conn may displace no
// connection.
func (s *slots[K]) reserve(conn *slotConn, key K, q *Quota[K]) (displaced *slotConn, from K, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.clients[key]
	privileged := q.Privileged != nil && q.Privileged(key)
	var victim *client[K]
	switch {
	case own != nil && !privileged && len(own.conns) >= q.PerClient:
		victim = own
	case s.taken >= q.Limit:
		victim = s.victim(own, privileged)
	default:
		s.add(conn, key, own, privileged)
		return nil, key, true
	}
	if victim == nil {
		return nil, key, false
	}
	idlest := s.idlest(victim)
	if victim == own && q.ActiveWithin > 0 && idlest.ranked.proven && conn.elapsed()-idlest.ranked.used < q.ActiveWithin {
		return nil, key, false
	}
	return idlest, victim.key, true
}

// victim returns the client whose idlest connection a newcomer of own displaces, or
// nil if it may displace none. own is nil for a client that has no connection yet.
func (s *slots[K]) victim(own *client[K], privileged bool) *client[K] {
	if len(s.byCount) == 0 {
		return own
	}
	first := s.byCount[0]
	// The idlest connection of the first client may have been used since it was
	// ranked. Then another client with as many connections may move to the front.
	for s.idlest(first); s.byCount[0] != first; s.idlest(first) {
		first = s.byCount[0]
	}
	switch {
	case privileged || own == nil || own == first:
		return first
	case len(first.conns) > len(own.conns)+1:
		return first
	}
	// Taking one from the first would not make the two more equal.
	return own
}

func (s *slots[K]) add(conn *slotConn, key K, own *client[K], privileged bool) {
	if own == nil {
		own = &client[K]{key: key, privileged: privileged}
		s.clients[key] = own
		if !privileged {
			heap.Push(&s.byCount, own)
		}
	}
	s.taken++
	conn.ranked = conn.use()
	heap.Push(&own.conns, conn)
	s.reorder(own)
	conn.freeSlot = sync.OnceFunc(func() { s.remove(conn, own) })
}

func (s *slots[K]) remove(conn *slotConn, own *client[K]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	heap.Remove(&own.conns, conn.index)
	if len(own.conns) > 0 {
		s.reorder(own)
		return
	}
	delete(s.clients, own.key)
	if !own.privileged {
		heap.Remove(&s.byCount, own.index)
	}
}

// idlest returns the client's idlest connection.
func (s *slots[K]) idlest(c *client[K]) *slotConn {
	for {
		first := c.conns[0]
		now := first.use()
		if now == first.ranked {
			s.reorder(c)
			return first
		}
		first.ranked = now
		heap.Fix(&c.conns, 0)
	}
}

// reorder restores the order of byCount after the client's connections have
// changed.
func (s *slots[K]) reorder(c *client[K]) {
	if !c.privileged {
		heap.Fix(&s.byCount, c.index)
	}
}

// slotConn is a connection that has a slot.
type slotConn struct {
	net.Conn
	start  time.Time
	proven atomic.Bool
	used   atomic.Int64 // when a byte was last read or written, in ns since start

	closed context.Context // done once the connection is closed
	end    func()          // ends closed

	ranked   use // as the heap is ordered by; guarded by the slots' mutex
	index    int // in its client's heap; likewise
	freeSlot func()
}

// use says how idle a connection is.
type use struct {
	proven bool
	used   time.Duration
}

func (c *slotConn) use() use { return use{c.proven.Load(), time.Duration(c.used.Load())} }

// less reports whether u is idler than v.
func (u use) less(v use) bool {
	if u.proven != v.proven {
		return v.proven
	}
	return u.used < v.used
}

func (c *slotConn) elapsed() time.Duration { return time.Since(c.start) }

func (c *slotConn) touch() { c.used.Store(int64(c.elapsed())) }

// Read reads, and records the use if it read anything.
func (c *slotConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.touch()
	}
	return n, err
}

// Write writes, and records the use if it wrote anything.
func (c *slotConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if n > 0 {
		c.touch()
	}
	return n, err
}

// Close closes the connection and then frees its slot: the number of slots bounds
// the number of open descriptors.
func (c *slotConn) Close() error {
	err := c.Conn.Close()
	c.end()
	c.freeSlot()
	return err
}

// SyscallConn implements syscall.Conn, if the connection below does.
func (c *slotConn) SyscallConn() (syscall.RawConn, error) {
	conn, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return conn.SyscallConn()
}

// connHeap is a heap of connections by ranked, the idlest first.
type connHeap []*slotConn

func (h connHeap) Len() int           { return len(h) }
func (h connHeap) Less(i, j int) bool { return h[i].ranked.less(h[j].ranked) }
func (h connHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *connHeap) Push(x any) {
	c := x.(*slotConn)
	c.index = len(*h)
	*h = append(*h, c)
}

func (h *connHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return c
}

// clientHeap is a heap of clients. The client with the most connections is first;
// of several, the one with the idlest connection.
type clientHeap[K comparable] []*client[K]

func (h clientHeap[K]) Len() int { return len(h) }

func (h clientHeap[K]) Less(i, j int) bool {
	a, b := h[i].conns, h[j].conns
	if len(a) != len(b) || len(a) == 0 {
		return len(a) > len(b)
	}
	return a[0].ranked.less(b[0].ranked)
}

func (h clientHeap[K]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *clientHeap[K]) Push(x any) {
	c := x.(*client[K])
	c.index = len(*h)
	*h = append(*h, c)
}

func (h *clientHeap[K]) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return c
}
