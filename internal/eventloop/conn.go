package eventloop

import (
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// Handler serves a socket. The loop calls it in its goroutine, so it must not wait.
type Handler interface {
	// Ready is called when the socket can be read or written again, and after Queue.
	Ready()
	// Due is called when the deadline has passed.
	Due()
	// Close is called when the loop ends. It calls the Conn's Close.
	Close() error
}

// Conn is a socket of a Loop. Only the loop's goroutine uses it.
type Conn struct {
	loop     *Loop
	socket   Socket
	handler  Handler
	key      int
	readable bool // Read may return something
	ended    bool // the peer has sent all
	first    bool // it is served before the others
	queued   bool // it is in one of the loop's queues
	closed   bool
	deadline time.Duration // 0 = none
	fires    time.Duration // when the loop looks at the deadline, not after it
	index    int           // in the loop's deadlines, -1 = it is not there
}

// Read reads what has arrived. It returns 0 and no error if there is nothing at present,
// and io.EOF at the end.
func (c *Conn) Read(b []byte) (int, error) {
	if !c.readable || len(b) == 0 {
		return 0, nil
	}
	n, err := c.socket.Read(b)
	switch {
	case err == unix.EAGAIN:
		c.readable = false
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	case n < len(b) && !c.ended:
		c.readable = false // that was all, and an event will say that there is more
	}
	return n, nil
}

// Readable reports whether there may be more to read. No event will say so: the handler
// reads on, now or after Queue.
func (c *Conn) Readable() bool { return c.readable }

// Write writes what the socket takes, and returns how much that was. If it was not all,
// Ready is called when it takes more.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.socket.Write(b)
	if err == unix.EAGAIN {
		err = nil
	}
	return n, err
}

// SetDeadline sets when Due is called: the time since the loop was made (see Loop.Now), or
// 0 for never. To move it later costs nothing.
func (c *Conn) SetDeadline(at time.Duration) {
	c.deadline = at
	if at != 0 && !c.closed {
		c.loop.deadlines.bring(c, at)
	}
}

// Queue makes the loop call Ready again, after it has served other sockets: those that
// have become ready, and those that are in the queue already.
func (c *Conn) Queue() {
	if c.queued || c.closed {
		return
	}
	c.queued = true
	if c.first {
		c.loop.first.push(c)
	} else {
		c.loop.queue.push(c)
	}
}

// Close closes the socket. After it, the loop does not call the handler again.
func (c *Conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	c.loop.remove(c)
	return c.socket.Close()
}
