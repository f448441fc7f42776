package quota

import "sync"

// Counter counts the units that each user holds. Its zero value is ready. Its
// methods may be called by any number of goroutines at once.
type Counter struct {
	mu    sync.Mutex
	held  map[uint32]int // by uid, without zeros; guarded by mu
	total int            // guarded by mu
}

// Take gives the user n more units, which may be negative, unless that makes more
// than limit. It reports whether it did.
func (c *Counter) Take(uid uint32, n, limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[uid]+n > limit {
		return false
	}
	c.add(uid, n)
	return true
}

// Add gives the user n more units, which may be negative.
func (c *Counter) Add(uid uint32, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(uid, n)
}

// Of returns the units that the user holds.
func (c *Counter) Of(uid uint32) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held[uid]
}

// Total returns the units that all users hold.
func (c *Counter) Total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

// Users returns the number of users that hold any.
func (c *Counter) Users() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.held)
}

func (c *Counter) add(uid uint32, n int) {
	if c.held == nil {
		c.held = make(map[uint32]int)
	}
	c.total += n
	if c.held[uid] += n; c.held[uid] == 0 {
		delete(c.held, uid)
	}
}
