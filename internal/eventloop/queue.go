package eventloop

// queue holds the connections whose turn is to come, first in, first out.
type queue struct {
	conns []*Conn
	begin int
}

func (q *queue) push(c *Conn) {
	if len(q.conns) == cap(q.conns) && q.begin > len(q.conns)/2 { // a queue that is never empty must not grow
		q.conns, q.begin = append(q.conns[:0], q.conns[q.begin:]...), 0
	}
	q.conns = append(q.conns, c)
}

func (q *queue) pop() *Conn {
	c := q.conns[q.begin]
	q.conns[q.begin] = nil
	if q.begin++; q.begin == len(q.conns) {
		q.conns, q.begin = q.conns[:0], 0
		if cap(q.conns) > maxEvents {
			q.conns = nil // an idle loop keeps no large queue
		}
	}
	return c
}

func (q *queue) len() int { return len(q.conns) - q.begin }
