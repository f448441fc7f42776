package probe

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

const (
	// defaultKeepAlive is how often a server tells that nothing has changed to
	// whom does not say, and
	defaultKeepAlive = time.Second
	// leastKeepAlive the most often that it does.
	leastKeepAlive = 100 * time.Millisecond
	// maxDialling is how long a connection may take to come about. The kernel
	// would try for two minutes, at ever longer intervals; a new try begins
	// with a packet at once.
	maxDialling = time.Second
)

// errStopped is what is wrong with an answer that was read well after the deadline,
// which did not end the read: this program was stopped, and what waited for it may
// be as old as that.
var errStopped = errors.New("this program was itself stopped for too long, and what came meanwhile may be old")

// Update is what a Watch has come to know: an answer, or that nothing is known.
type Update struct {
	Answer lmp.Answer
	Err    error // nil: Answer is the server's latest word; else why nothing is known
}

// Watch holds a WATCH of q and tells each answer of it, be it a change or a
// keep-alive, but none that says serving where a newer one was read with it, until ctx is done; then it returns ctx's error. q.Kind is ignored,
// q.Network is "tcp" or empty, and q.MaxAge is the interval of the keep-alive, 1 s
// if it is 0 and at least 100 ms. A question that cannot be put is an error at once, and so
// is a silence that is not longer than that interval.
//
// A connection that is lost is made again by itself, at once and then at a pace of
// 50 to 250 ms, and that is no news: the last word stands, for the server may have
// been started anew under a healthy program. But when nothing that belongs to q
// has come for the time silence, be it that the server is gone, frozen, says
// something else, or lacks the key, then one Update with an Err is told; the next
// one is an answer again. If this program was itself stopped or starved meanwhile,
// it tells of a silence up to 200 ms later, and takes no word that may be from
// before: it asks anew.
//
// If the host is a name, its addresses are tried as [Ask] does, each time that a
// connection is made, and the first one that answers is kept. While no name server
// answers, the addresses are those that were found before.
//
// Any answer is one, whatever its status: only lmp.StatusServing is serving. tell
// is called by one goroutine at a time, and not after Watch has returned; while it
// has not returned, nothing is read.
func Watch(ctx context.Context, q Question, silence time.Duration, tell func(Update)) error {
	w, err := newWatcher(q, silence, tell)
	if err != nil {
		return err
	}
	return w.run(ctx)
}

// watcher is one Watch.
type watcher struct {
	question Question
	server   dialer
	names    names
	dial     func(ctx context.Context, address string) (net.Conn, error)
	// overdue is how long after a frame, or the question, a connection is taken
	// for dead: half of what is left of the silence by when the keep-alive was due,
	// so that another may still bring a word in time.
	overdue time.Duration
	vigil   *vigil
}

func newWatcher(q Question, silence time.Duration, tell func(Update)) (*watcher, error) {
	q.Kind, q.Network = lmp.KindWatch, cmp.Or(q.Network, "tcp")
	if err := checkWatch(q); err != nil {
		return nil, err
	}
	keepAlive := defaultKeepAlive
	if q.MaxAge > 0 {
		keepAlive = max(q.MaxAge, leastKeepAlive)
	}
	if silence <= keepAlive {
		return nil, fmt.Errorf("a silence of %v cannot be told from one between two keep-alives, which is %v: allow more", silence, keepAlive)
	}
	w := &watcher{
		question: q,
		server:   dialer{network: q.Network, address: q.Address},
		dial: func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, q.Network, address)
		},
		overdue: keepAlive + (silence-keepAlive)/2,
		vigil:   newVigil(q.Address, silence, tell),
	}
	w.names.find = func(ctx context.Context) ([]string, error) { return w.server.addresses(ctx) }
	return w, nil
}

// checkWatch returns why the question can be put to nobody, if so it is.
func checkWatch(q Question) error {
	if q.Network != "tcp" {
		return fmt.Errorf("the network %q is not tcp, and a WATCH has no other", q.Network)
	}
	_, port, err := net.SplitHostPort(q.Address)
	if err != nil {
		return err
	}
	if _, err := net.LookupPort(q.Network, port); err != nil {
		return err
	}
	if q.MaxAge < 0 {
		return fmt.Errorf("the keep-alive %v is less than 0", q.MaxAge)
	}
	_, err = newExchange(q)
	return err
}

// run watches until ctx is done.
func (w *watcher) run(ctx context.Context) error {
	w.vigil.begin()
	defer w.vigil.end()
	var redial pace
	for ctx.Err() == nil {
		stood, err := w.hold(ctx)
		w.vigil.went(err)
		pause(ctx, redial.after(stood))
	}
	return ctx.Err()
}

// hold makes a connection that answers, and reports the answers for as long as
// there are any. It returns how long there were some, and why there are no more.
func (w *watcher) hold(ctx context.Context) (stood time.Duration, err error) {
	conn, err := w.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	// Closing is what ends the reads when ctx is done.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	begun := time.Now()
	for a, last := conn.first, conn.asked; ; {
		if time.Since(last) > w.overdue+maxLate {
			return time.Since(begun), errStopped
		}
		if a.Status != lmp.StatusServing || !conn.hasMore() {
			w.vigil.heard(a)
		}
		last = time.Now()
		conn.SetReadDeadline(last.Add(w.overdue))
		if a, err = conn.exchange.read(conn.in); err != nil {
			return time.Since(begun), reasonOf(err, true)
		}
	}
}

// reasonOf returns what a person is told of the error that ended a connection.
func reasonOf(err error, begun bool) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errNothing
	case errors.Is(err, ErrRefused) && begun:
		return errors.New("the server closed the connection")
	}
	return err
}

// connection is one that has answered.
type connection struct {
	net.Conn
	in       *bufio.Reader
	exchange *exchange
	asked    time.Time
	first    lmp.Answer
}

// hasMore reports whether a newer frame was read already, as after a short stop of
// this program: then serving is what was, and may not be any more.
func (c *connection) hasMore() bool {
	start, err := c.in.Peek(min(c.in.Buffered(), lmp.HeaderLength))
	if err != nil {
		return false
	}
	length, err := lmp.FrameLength(start)
	return err == nil && length > 0 && c.in.Buffered() >= length
}

// connect returns the first connection to an address of the server that answers.
func (w *watcher) connect(ctx context.Context) (*connection, error) {
	addresses, err := w.names.addresses(ctx, w.dialling())
	if err != nil {
		return nil, err
	}
	return race(ctx, addresses, w.overdue, w.ask, func(late *connection) { late.Close() })
}

// ask makes a connection to the address, puts the question, and waits for the first
// answer.
func (w *watcher) ask(ctx context.Context, address string, _ func()) (*connection, error) {
	dialling, cancel := context.WithTimeout(ctx, w.dialling())
	defer cancel()
	conn, err := w.dial(dialling, address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	c, err := w.begin(conn)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, reasonOf(err, false)
	}
	return c, nil
}

// begin puts the question on the connection, and reads the first answer.
func (w *watcher) begin(conn net.Conn) (*connection, error) {
	e, err := newExchange(w.question) // another nonce: no word from before is taken for one of now
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: conn, in: bufio.NewReader(conn), exchange: e, asked: time.Now()}
	conn.SetDeadline(c.asked.Add(w.overdue))
	// A server that has refused already may make the write fail, so what is read
	// decides.
	_, _ = conn.Write(e.request)
	c.first, err = e.read(c.in)
	return c, err
}

// dialling is how long a connection may take to come about.
func (w *watcher) dialling() time.Duration { return min(maxDialling, w.overdue) }
