package eventloop

import (
	"container/heap"
	"time"
)

// deadlines is a heap of the connections that have a deadline, by when the loop must look
// at it. Most deadlines are moved later before they pass, with each request for instance.
// So that this costs nothing, a connection keeps its place until the loop looks at it.
type deadlines []*Conn

// bring makes the loop look at the connection at that time or before.
func (d *deadlines) bring(c *Conn, at time.Duration) {
	switch {
	case c.index < 0:
		c.fires = at
		heap.Push(d, c)
	case at < c.fires:
		c.fires = at
		heap.Fix(d, c.index)
	}
}

// drop removes the connection.
func (d *deadlines) drop(c *Conn) {
	if c.index >= 0 {
		heap.Remove(d, c.index)
	}
}

// first returns when the loop must look next, or 0.
func (d deadlines) first() time.Duration {
	if len(d) == 0 {
		return 0
	}
	return d[0].fires
}

// takeDue returns a connection whose deadline has passed and removes that, or returns nil if
// there is none.
func (d *deadlines) takeDue(now time.Duration) *Conn {
	for len(*d) > 0 && (*d)[0].fires <= now {
		c := (*d)[0]
		if c.deadline != 0 && c.deadline > now {
			c.fires = c.deadline
			heap.Fix(d, 0)
			continue
		}
		heap.Pop(d)
		if c.deadline != 0 {
			c.deadline = 0
			return c
		}
	}
	return nil
}

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].fires < d[j].fires }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

func (d *deadlines) Push(x any) {
	c := x.(*Conn)
	c.index = len(*d)
	*d = append(*d, c)
}

func (d *deadlines) Pop() any {
	last := len(*d) - 1
	c := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	c.index = -1
	return c
}
