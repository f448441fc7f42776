package lmp

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/eventloop"
)

// pipePoller is a poller for pipes, which works in fake time.
type pipePoller struct {
	mu       sync.Mutex
	events   []eventloop.Event // guarded by mu
	deadline time.Time         // guarded by mu
	woken    chan struct{}     // holds a token after a change of these
	keys     int
}

func newPipePoller() *pipePoller { return &pipePoller{woken: make(chan struct{}, 1)} }

func (p *pipePoller) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func (p *pipePoller) add(e eventloop.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, e)
	p.wake()
}

func (p *pipePoller) SetDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = t
	p.wake()
	return nil
}

func (p *pipePoller) Ignore() bool { return false }

func (p *pipePoller) Poll(events []eventloop.Event) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := copy(events, p.events)
	p.events = p.events[n:]
	return n
}

func (p *pipePoller) Wait(serve func() bool) error {
	for !serve() {
		p.mu.Lock()
		deadline := p.deadline
		p.mu.Unlock()
		var due <-chan time.Time
		if !deadline.IsZero() {
			due = time.After(time.Until(deadline))
		}
		select {
		case <-p.woken:
		case <-due:
			return os.ErrDeadlineExceeded
		}
	}
	return nil
}

func (p *pipePoller) Close() error { return nil }

// pipe is like net.Pipe, with a socket of a loop at one end: nothing is buffered, so the
// socket takes only what a Read of the client waits for, and a Write of the client waits
// until the socket has read all.
type pipe struct {
	poller *pipePoller
	key    int
	done   chan struct{} // closed when the socket is closed

	mu       sync.Mutex
	changed  chan struct{} // closed, and replaced, at each change; guarded by mu, like all that follows
	written  []byte        // by the client, not read yet
	wanted   []byte        // by the Read of the client, nil if there is none
	received int           // of wanted
	left     bool          // the client has closed its end
	deadline time.Time     // of the client's Read
}

// newPipe returns the client's end, and the socket.
func (p *pipePoller) newPipe() (*pipeClient, *pipe) {
	p.keys++
	s := &pipe{poller: p, key: p.keys, done: make(chan struct{}), changed: make(chan struct{})}
	return &pipeClient{s}, s
}

// change wakes all that wait. Call it with mu.
func (s *pipe) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *pipe) closed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func (s *pipe) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.written) == 0 {
		if s.left {
			return 0, nil
		}
		return 0, unix.EAGAIN
	}
	n := copy(b, s.written)
	s.written = s.written[n:]
	s.change()
	return n, nil
}

func (s *pipe) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.left:
		return 0, unix.EPIPE
	case s.wanted == nil || s.received > 0:
		return 0, unix.EAGAIN
	}
	s.received = copy(s.wanted, b)
	s.change()
	return s.received, nil
}

func (s *pipe) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.done)
	s.change()
	return nil
}

// pipeClient is the client's end of a pipe.
type pipeClient struct{ *pipe }

func (c *pipeClient) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = b
	c.poller.add(eventloop.Event{Key: c.key, Readable: true})
	for len(c.written) > 0 {
		if c.closed() || c.left {
			n := len(b) - len(c.written)
			c.written = nil
			return n, io.ErrClosedPipe
		}
		c.wait(nil)
	}
	return len(b), nil
}

func (c *pipeClient) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed() {
		return 0, io.EOF
	}
	c.wanted, c.received = b, 0
	defer func() { c.wanted = nil }()
	c.poller.add(eventloop.Event{Key: c.key})
	var due <-chan time.Time
	if !c.deadline.IsZero() {
		due = time.After(time.Until(c.deadline))
	}
	for c.received == 0 {
		switch {
		case c.closed():
			return 0, io.EOF
		case !c.wait(due):
			return 0, os.ErrDeadlineExceeded
		}
	}
	return c.received, nil
}

// wait waits for a change. It returns false if it is due before. Call it with mu.
func (c *pipeClient) wait(due <-chan time.Time) bool {
	changed := c.changed
	c.mu.Unlock()
	defer c.mu.Lock()
	select {
	case <-changed:
		return true
	case <-due:
		return false
	}
}

func (c *pipeClient) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.left {
		c.left = true
		c.change()
		c.poller.add(eventloop.Event{Key: c.key, Readable: true, End: true})
	}
	return nil
}

func (c *pipeClient) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return nil
}

func (c *pipeClient) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *pipeClient) SetWriteDeadline(time.Time) error { return nil }
func (c *pipeClient) LocalAddr() net.Addr              { return pipeAddr{} }
func (c *pipeClient) RemoteAddr() net.Addr             { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
