package eventloop

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"time"
)

const (
	// maxEvents is how many sockets the loop serves in one round, before it looks for new
	// events.
	maxEvents = 512
	// maxQueued is how many of its queue it serves in one round. They have been served
	// before, and so those go first that have become ready meanwhile.
	maxQueued = 16
	// maxRound is how long it serves sockets in one round. The others wait in the queue.
	maxRound = 5 * time.Millisecond
	// maxAtWork is how long it works before Go's scheduler may run what else is ready.
	// After each round, that would cost a tenth of what the loop does for many watchers.
	maxAtWork = time.Millisecond
	// roundCheck is after how many sockets it looks whether the round has taken that long.
	// To look at the clock costs a tenth of what a small request does.
	roundCheck = 8
)

// ErrEnded means that the loop has ended.
var ErrEnded = errors.New("the event loop has ended")

// Loop serves sockets in the goroutine of Run.
type Loop struct {
	poller    Poller
	start     time.Time
	now       time.Duration
	events    [maxEvents]Event
	conns     []*Conn // by key
	first     queue   // the listeners that have something to accept
	ready     queue   // the sockets of which an event told
	queue     queue   // those that were queued
	deadlines deadlines
	armed     time.Duration // the poller's deadline; -1 = it is not known
	running   []func()      // that were posted

	mu     sync.Mutex
	posted []func() // guarded by mu
	ended  bool     // guarded by mu
	done   chan struct{}
}

// New returns a Loop. The caller calls Run, or Close.
func New() (*Loop, error) {
	poller, err := newEpoll()
	if err != nil {
		return nil, err
	}
	return NewWith(poller), nil
}

// NewWith returns a Loop that waits by the poller, for tests.
func NewWith(p Poller) *Loop { return &Loop{poller: p, start: time.Now(), done: make(chan struct{})} }

// Now returns the time since the loop was made, at the last events. Reading it costs
// nothing.
func (l *Loop) Now() time.Duration { return l.now }

// Late reports whether that much time has passed since Now: the loop has been at work for so
// long, or the process was stopped.
func (l *Loop) Late(most time.Duration) bool { return time.Since(l.start)-l.now >= most }

// Add adds a socket, which no other has the key of. It sets up c, which is often a part of
// h. In epoll the key is the descriptor. The loop calls it, or Add precedes Run.
func (l *Loop) Add(c *Conn, s Socket, key int, h Handler) error {
	if e, ok := l.poller.(*epoll); ok {
		if err := e.add(key); err != nil {
			return err
		}
	}
	for len(l.conns) <= key {
		l.conns = append(l.conns, nil)
	}
	*c = Conn{loop: l, socket: s, handler: h, key: key, index: -1}
	l.conns[key] = c
	return nil
}

func (l *Loop) remove(c *Conn) {
	l.conns[c.key] = nil
	l.deadlines.drop(c)
}

// Post makes the loop call f, unless it has ended. It is safe for concurrent use.
func (l *Loop) Post(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	if l.posted = append(l.posted, f); len(l.posted) == 1 {
		_ = l.poller.SetDeadline(time.Unix(1, 0)) // which has passed: it ends the wait
	}
}

// Turn returns once the loop has turned: it is not still busy with what came before. The
// error is ctx's, or ErrEnded.
func (l *Loop) Turn(ctx context.Context) error {
	turned := make(chan struct{})
	l.Post(func() { close(turned) })
	select {
	case <-turned:
		return nil
	case <-l.done:
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run serves until ctx is done. Then it closes all sockets and returns nil. Any other
// error is the poller's.
func (l *Loop) Run(ctx context.Context) error {
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Post(func() {}) })()
	l.armed = -1
	serve := func() bool { l.serve(ctx); return ctx.Err() != nil }
	for ctx.Err() == nil {
		err := l.poller.Wait(serve)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.armed = -1
			serve()
		case err != nil:
			return err
		}
	}
	return nil
}

// serve serves until there is nothing to do, or ctx is done.
func (l *Loop) serve(ctx context.Context) {
	var until time.Duration // when the loop has been at work for maxAtWork
	for ignores := false; ctx.Err() == nil; {
		n := l.poller.Poll(l.events[:])
		l.now = time.Since(l.start)
		if until == 0 {
			until = l.now + maxAtWork
		}
		switch { // a lone socket is most often the only one
		case n == 0:
			ignores = false
		case n > 1:
			ignores = l.poller.Ignore()
		}
		for _, e := range l.events[:n] {
			l.note(e)
		}
		l.serveQueue(&l.first, l.first.len())
		l.serveReady()
		l.runPosted()
		l.serveQueue(&l.queue, maxQueued)
		for c := l.deadlines.takeDue(l.now); c != nil; c = l.deadlines.takeDue(l.now) {
			c.handler.Due()
		}
		switch tired := l.now >= until; {
		case ignores && !tired: // there may be more by now
		case n < len(l.events) && l.mayWait():
			return // to wait lets Go's scheduler run what else is ready
		case tired:
			runtime.Gosched()
			until = 0
		}
	}
}

// mayWait reports whether there is nothing to do. If so it sets the poller's deadline.
func (l *Loop) mayWait() bool {
	if l.first.len() > 0 || l.ready.len() > 0 || l.queue.len() > 0 {
		return false
	}
	if next := l.deadlines.first(); next != l.armed {
		var at time.Time
		if next != 0 {
			at = l.start.Add(next)
		}
		_ = l.poller.SetDeadline(at) // fails only if the poller is closed, and so does Wait
		l.armed = next
	}
	// Post may have set the deadline before. If it sets it from here on, the wait ends.
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.posted) == 0
}

// note notes what the event says, and lets the socket be served. If it is in a queue
// already, it is served when its turn comes.
func (l *Loop) note(e Event) {
	c := l.conns[e.Key]
	if c == nil {
		return // closed since
	}
	c.readable, c.ended = c.readable || e.Readable, c.ended || e.End
	switch {
	case c.first:
		c.Queue()
	case !c.queued:
		c.queued = true
		l.ready.push(c)
	}
}

// serveReady serves the sockets that have become ready, until the round has taken long.
// The others go first in the next round, so that what was posted and the deadlines need not
// wait for them, and no socket that was queued goes before them because of it.
func (l *Loop) serveReady() {
	for {
		l.serveQueue(&l.ready, roundCheck)
		if l.ready.len() == 0 || l.Late(maxRound) {
			return
		}
	}
}

// serveQueue serves the first n of the queue.
func (l *Loop) serveQueue(q *queue, n int) {
	for range min(q.len(), n) {
		if c := q.pop(); !c.closed {
			c.queued = false
			c.handler.Ready()
		}
	}
}

func (l *Loop) runPosted() {
	l.mu.Lock()
	l.posted, l.running = l.running[:0], l.posted
	l.mu.Unlock()
	if len(l.running) > 0 {
		l.armed = -1
	}
	for _, f := range l.running {
		f()
	}
	clear(l.running)
}

// Close closes all sockets, and the poller. Run calls it.
func (l *Loop) Close() error {
	l.mu.Lock()
	ended := l.ended
	l.ended = true
	l.mu.Unlock()
	if ended {
		return nil
	}
	for _, c := range l.conns {
		if c != nil {
			c.handler.Close()
		}
	}
	close(l.done)
	return l.poller.Close()
}
