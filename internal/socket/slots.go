package socket

import (
	"container/heap"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Slots are the open connections of a listener, by client. LimitPer says how they are
// divided.
type Slots[K comparable] struct {
	quota   Quota[K]
	start   time.Time  // times of use count from here
	mu      sync.Mutex // guards what follows
	taken   int
	clients map[K]*client[K]
	// byCount holds the clients that are not privileged, in the order in which a
	// new connection displaces theirs.
	byCount clientHeap[K]
}

// client is one client and its connections.
type client[K comparable] struct {
	slots      *Slots[K]
	key        K
	privileged bool
	index      int      // in byCount
	conns      connHeap // the idlest first
}

// NewSlots returns the slots of the quota, all of them free. Its Client is not used.
func NewSlots[K comparable](q Quota[K]) *Slots[K] {
	if q.PerClient == 0 {
		q.PerClient = q.Limit
	}
	return &Slots[K]{quota: q, start: time.Now(), clients: make(map[K]*client[K])}
}

// Take gives a connection of the client a slot, or reports that it gets none. Take may
// close other connections before. Close of a connection must free its slot. The caller keeps
// slot where it is until Free.
func (s *Slots[K]) Take(slot *Slot, key K, conn io.Closer) bool {
	slot.start, slot.conn = s.start, conn
	slot.Touch()
	for {
		displaced, from, ok := s.reserve(slot, key)
		switch {
		case !ok:
			s.quota.Closed(key)
			return false
		case displaced == nil:
			return true
		}
		s.quota.Closed(from)
		displaced.conn.Close()
	}
}

// reserve takes a slot. If there is none, it returns that of the connection which the
// caller must close first, and its client. It is not ok if the new one may displace none.
func (s *Slots[K]) reserve(slot *Slot, key K) (displaced *Slot, from K, ok bool) {
	q := &s.quota
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
		s.add(slot, key, own, privileged)
		return nil, key, true
	}
	if victim == nil {
		return nil, key, false
	}
	idlest := s.idlest(victim)
	if victim == own && q.ActiveWithin > 0 && idlest.ranked.answered && slot.elapsed()-idlest.ranked.used < q.ActiveWithin {
		return nil, key, false
	}
	return idlest, victim.key, true
}

// victim returns the client whose idlest connection a new connection of own displaces, or
// nil if it may displace none. own is nil for a client that has no connection yet.
func (s *Slots[K]) victim(own *client[K], privileged bool) *client[K] {
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

func (s *Slots[K]) add(slot *Slot, key K, own *client[K], privileged bool) {
	if own == nil {
		own = &client[K]{slots: s, key: key, privileged: privileged}
		s.clients[key] = own
		if !privileged {
			heap.Push(&s.byCount, own)
		}
	}
	s.taken++
	slot.ranked = slot.use()
	heap.Push(&own.conns, slot)
	s.reorder(own)
	slot.owner = own
}

func (own *client[K]) remove(slot *Slot) {
	s := own.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot.index < 0 {
		return // it is free already
	}
	s.taken--
	heap.Remove(&own.conns, slot.index)
	if len(own.conns) > 0 {
		s.reorder(own)
		return
	}
	delete(s.clients, own.key)
	if !own.privileged {
		heap.Remove(&s.byCount, own.index)
	}
}

// rank ranks the connection again, which has become idler than it was ranked.
func (own *client[K]) rank(slot *Slot) {
	s := own.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot.index < 0 {
		return // it is free already
	}
	slot.ranked = slot.use()
	heap.Fix(&own.conns, slot.index)
	s.reorder(own)
}

// idlest returns the client's idlest connection.
func (s *Slots[K]) idlest(c *client[K]) *Slot {
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
func (s *Slots[K]) reorder(c *client[K]) {
	if !c.privileged {
		heap.Fix(&s.byCount, c.index)
	}
}

// Slot is the place of one open connection.
type Slot struct {
	start    time.Time
	answered atomic.Bool
	unread   atomic.Bool
	used     atomic.Int64 // when a byte was last read or written, in ns since start
	conn     io.Closer

	ranked use         // as the heap is ordered by; guarded by the slots' mutex
	index  int         // in its client's heap, -1 = it is free again; likewise
	owner  interface { // the client
		remove(*Slot)
		rank(*Slot)
	}
}

// use says how idle a connection is.
type use struct {
	unread   bool // the peer does not read
	answered bool
	used     time.Duration
}

func (s *Slot) use() use {
	return use{s.unread.Load(), s.answered.Load(), time.Duration(s.used.Load())}
}

// less reports whether u is idler than v.
func (u use) less(v use) bool {
	if u.unread != v.unread {
		return u.unread
	}
	if u.answered != v.answered {
		return v.answered
	}
	return u.used < v.used
}

func (s *Slot) elapsed() time.Duration { return time.Since(s.start) }

// Touch records that the connection is in use: a byte was read or written.
func (s *Slot) Touch() { s.used.Store(int64(s.elapsed())) }

// MarkAnswered is the function MarkAnswered for a connection that has this slot.
func (s *Slot) MarkAnswered() {
	if !s.answered.Load() {
		s.answered.Store(true)
	}
}

// MarkUnread records whether there are answers that the peer has left unread for so long
// that no more can be sent. Such a connection is displaced first.
func (s *Slot) MarkUnread(unread bool) {
	if s.unread.Swap(unread) != unread && s.owner != nil {
		s.owner.rank(s)
	}
}

// Free frees the slot, after its connection has been closed. A slot that was never taken
// may be freed, and any more than once.
func (s *Slot) Free() {
	if s.owner != nil {
		s.owner.remove(s)
	}
}

// slotConn is a connection that has a slot.
type slotConn struct {
	net.Conn
	Slot
	closed context.Context // done once the connection is closed
	end    func()          // ends closed
}

// Read reads, and records the use if it read anything.
func (c *slotConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.Touch()
	}
	return n, err
}

// Write writes, and records the use if it wrote anything.
func (c *slotConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if n > 0 {
		c.Touch()
	}
	return n, err
}

// Close closes the connection and then frees its slot: the number of slots bounds
// the number of open descriptors.
func (c *slotConn) Close() error {
	err := c.Conn.Close()
	c.end()
	c.Free()
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

// connHeap is a heap of the slots of connections by ranked, the idlest first.
type connHeap []*Slot

func (h connHeap) Len() int           { return len(h) }
func (h connHeap) Less(i, j int) bool { return h[i].ranked.less(h[j].ranked) }
func (h connHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *connHeap) Push(x any) {
	c := x.(*Slot)
	c.index = len(*h)
	*h = append(*h, c)
}

func (h *connHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	c.index = -1
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
