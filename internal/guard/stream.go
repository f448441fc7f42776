package guard

import (
	"net"
	"time"

	"github.com/landmark-health/landmark/internal/socket"
)

// stream is an open stream. With ClientStreams only that it is open is known.
type stream struct {
	began   time.Time
	awaited bool // whether its request has not come
	data    int  // bytes of it that count as unread
	cost    int  // and what they cost
}

// maxRequestCost is the highest cost of a request that counts as delivered when the client
// ends it. What costs more is no request that a handler could get, or comes in many pieces:
// it counts until its stream ends.
var maxRequestCost = costOf(4 << 10)

// addData counts a data frame that was received.
func (c *conn) addData(f frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		return net.ErrClosed
	default:
	}
	s, open := c.open[f.stream]
	switch {
	case open && !c.limits.ClientStreams:
	case f.length == 0:
		return nil // the end of a request that was sent before
	default:
		return c.unread.add(f.length, c)
	}
	cost := costOf(f.length)
	if f.flags&flagEndStream != 0 {
		c.requested(f.stream)
		if s.cost+cost <= maxRequestCost {
			c.forget(f.stream)
			return nil
		}
	}
	s = c.open[f.stream]
	s.data += f.length
	s.cost += cost
	c.open[f.stream] = s
	return c.unread.add(f.length, c)
}

// requested records that a request has come whole. The caller holds c.mu.
func (c *conn) requested(id uint32) {
	s, open := c.open[id]
	if !open || !s.awaited {
		return
	}
	s.awaited = false
	c.open[id] = s
	c.awaited--
	if !c.answered {
		c.answered = true
		socket.MarkAnswered(c)
	}
}

// forget takes the data of a stream off what is unread. The caller holds c.mu.
func (c *conn) forget(id uint32) {
	s := c.open[id]
	if s.data == 0 {
		return
	}
	c.unread.subtract(s.data, s.cost, c.limits.Budget)
	s.data, s.cost = 0, 0
	c.open[id] = s
}

// end counts the end of a stream. The caller holds c.mu.
func (c *conn) end(id uint32) {
	s, open := c.open[id]
	if !open {
		return
	}
	c.forget(id)
	delete(c.open, id)
	if s.awaited {
		c.awaited--
	}
	if len(c.open) == 0 {
		c.unread.reset(c.limits.Budget)
	}
	if len(c.open) >= connStreams {
		c.limits.Budget.returnStream(c)
	}
}

// awaitRequests starts the time limit of requests, if one has not come and no limit runs.
func (c *conn) awaitRequests() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.awaited > 0 && c.timer == nil {
		c.timer = time.AfterFunc(requestTimeout, c.checkRequests)
	}
}

// checkRequests closes the connection if a request has not come in time: gRPC has no other
// way to end a call before its handler runs. Else it starts the time limit of the oldest
// that has not come.
func (c *conn) checkRequests() {
	now, late := time.Now(), false
	c.mu.Lock()
	c.timer = nil
	left := requestTimeout
	for _, s := range c.open {
		if s.awaited {
			left = min(left, requestTimeout-now.Sub(s.began))
		}
	}
	late = left <= 0
	if !late && c.awaited > 0 {
		c.timer = time.AfterFunc(left, c.checkRequests)
	}
	c.mu.Unlock()
	if late {
		c.Close()
	}
}
