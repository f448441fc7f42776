package guard

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/landmark-health/landmark/internal/rate"
	"github.com/landmark-health/landmark/internal/socket"
)

// Reasons for which the guard closes a connection.
var (
	errFlood   = errors.New("too many frames that carry no request")
	errStreams = errors.New("too many open streams")
	errUnread  = errors.New("too much data that is part of no whole message")
	errTooFast = errors.New("too many new streams")
)

// Listen returns a listener whose connections are guarded. Its Close ends those that wait,
// because gRPC waits for connections in their handshake before it closes any.
func Listen(l net.Listener, limits Limits) net.Listener {
	g := &listener{Listener: l, limits: limits, closed: make(chan struct{})}
	g.close = sync.OnceValue(func() error {
		close(g.closed)
		return l.Close()
	})
	return g
}

type listener struct {
	net.Listener
	limits Limits
	closed chan struct{} // by Close
	close  func() error
}

func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := newConn(accepted, l.limits, l.limits.Budget.add(clientOf(accepted)), l.closed)
	if below, ok := accepted.(Awaiter); ok {
		return awaitingConn{c, below}, nil
	}
	return c, nil
}

// Close closes the listener.
func (l *listener) Close() error { return l.close() }

// clientOf returns the key of a connection's client: its address or its user. All
// connections whose client is unknown share the key nil.
func clientOf(conn net.Conn) any {
	if address, err := socket.ByAddress(conn); err == nil {
		return address
	}
	if uid, err := socket.ByUser(conn); err == nil {
		return uid
	}
	return nil
}

// conn is a guarded connection.
type conn struct {
	net.Conn
	limits Limits
	client *client
	closed chan struct{} // by Close
	close  func() error
	// displaced is closed when the connection below is, also if that is without Close:
	// because another connection got its slot.
	displaced <-chan struct{}
	stopped   <-chan struct{} // closed when the listener is

	in       scanner // of what is read; used by the reading goroutine only, like the next four
	frames   bucket
	overhead bucket
	streams  bucket
	reserved int // streams of the client that the data that was read last has to wait for

	mu       sync.Mutex // guards what follows
	out      scanner    // of what is written
	open     map[uint32]stream
	last     uint32 // the highest stream that was opened
	unread   unread
	pings    int         // that the client may send for messages that it received
	answered bool        // whether the client has sent a request
	awaited  int         // open streams whose request has not come
	timer    *time.Timer // ends the connection if one does not come in time; nil = it does not run
}

func newConn(accepted net.Conn, limits Limits, client *client, stopped <-chan struct{}) *conn {
	c := &conn{
		Conn:      accepted,
		limits:    limits,
		client:    client,
		closed:    make(chan struct{}),
		displaced: socket.Closed(accepted).Done(),
		stopped:   stopped,
		in:        scanner{skip: preface},
		frames:    rate.New[time.Time](framesPerSecond, framesBurst),
		overhead:  rate.New[time.Time](connOverheadPerSecond, connOverheadBurst),
		streams:   rate.New[time.Time](connStreamsPerSecond, connStreamsBurst),
		open:      make(map[uint32]stream),
	}
	c.close = sync.OnceValue(func() error {
		close(c.closed)
		err := accepted.Close()
		limits.Budget.remove(c)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.unread.reset(limits.Budget)
		if c.timer != nil {
			c.timer.Stop()
		}
		return err
	})
	return c
}

// Close closes the connection, and returns to the budget what it took.
func (c *conn) Close() error { return c.close() }

// NetConn returns the connection below.
func (c *conn) NetConn() net.Conn { return c.Conn }

// SyscallConn implements syscall.Conn, if the connection below does.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	below, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return below.SyscallConn()
}

// Read reads from the connection. If what it read exceeds the limits, it closes
// the connection and returns an error instead.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n == 0 {
		return n, err
	}
	c.reserved = 0
	now := time.Now()
	var wait time.Duration
	err = errors.Join(err, c.in.scan(b[:n], func(f frame) error {
		w, err := c.received(f, now)
		wait = max(wait, w)
		return err
	}))
	c.awaitRequests()
	if err == nil && wait > 0 {
		err = c.wait(wait)
	}
	if err != nil {
		c.client.giveBackStreams(c.reserved) // no other of the client waits for what is not served
		c.Close()
		return 0, err
	}
	return n, nil
}

// wait waits for so long, unless that is too long or the connection ends before.
func (c *conn) wait(d time.Duration) error {
	if d > maxWait {
		c.limits.Budget.tooFast.Add(1)
		return errTooFast
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.closed:
	case <-c.displaced:
	case <-c.stopped:
	}
	return net.ErrClosed
}

// received counts a frame of the client, and returns how long the client must
// wait.
func (c *conn) received(f frame, now time.Time) (wait time.Duration, err error) {
	wait = c.frames.Reserve(1, now)
	switch f.kind {
	case frameHeaders:
		if !c.streams.Take(1, now) {
			c.reserved++
			wait = max(wait, c.client.reserveStream(now))
		}
		return wait, c.begin(f, now)
	case frameData:
		if f.length > 0 || f.flags&flagEndStream != 0 { // else it is empty and ends nothing
			return wait, c.addData(f)
		}
	case frameReset:
		c.mu.Lock()
		c.end(f.stream)
		c.mu.Unlock()
	case frameSettings:
		if f.flags&flagAck != 0 {
			return wait, nil // acknowledges the server's settings, which are few
		}
	case framePing:
		if f.flags&flagAck != 0 || c.mayPing() {
			return wait, nil
		}
	case frameContinuation:
	default:
		return wait, nil
	}
	if !c.overhead.Take(1, now) && !c.client.allowOverhead(now) {
		return 0, errFlood
	}
	return wait, nil
}

// mayPing takes one of the pings that the client may send for messages, and
// reports whether there was one.
func (c *conn) mayPing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pings == 0 {
		return false
	}
	c.pings--
	return true
}

// begin counts a new stream.
func (c *conn) begin(f frame, now time.Time) error {
	c.mu.Lock()
	if f.stream <= c.last { // trailers, or a protocol error that gRPC detects
		c.mu.Unlock()
		return nil
	}
	c.last = f.stream
	awaited := !c.limits.ClientStreams && f.flags&flagEndStream == 0
	c.open[f.stream] = stream{began: now, awaited: awaited}
	if awaited {
		c.awaited++
	}
	beyond := len(c.open) > connStreams
	c.mu.Unlock()
	if !beyond {
		return nil
	}
	displaced, ok := c.limits.Budget.takeStream(c)
	if !ok {
		return errStreams
	}
	select {
	case <-c.closed: // perhaps Close returned all streams before this one was taken
		c.limits.Budget.returnAll(c)
	default:
	}
	if displaced != nil {
		displaced.Close()
	}
	return nil
}

// release subtracts a message of the given length that gRPC has delivered.
func (c *conn) release(length int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unread.release(length, c.limits.Budget)
}

// Write writes to the connection, and counts the streams that are answered or end by it.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.out.scan(b, func(f frame) error {
		c.sent(f)
		return nil
	})
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// sent counts a frame of the server. The caller holds c.mu.
func (c *conn) sent(f frame) {
	switch f.kind {
	case frameReset:
		c.end(f.stream)
		return
	case frameData:
		c.pings = min(c.pings+1, clientOverheadBurst)
	case frameHeaders:
	default:
		return
	}
	if f.flags&flagEndStream != 0 {
		c.end(f.stream)
	} else {
		c.requested(f.stream)
	}
}
