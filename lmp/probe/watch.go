package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/lmp"
)

const (
	// defaultKeepAlive is the keep-alive interval when the request gives none.
	defaultKeepAlive = time.Second
	// minKeepAlive is the shortest keep-alive interval; servers raise shorter ones to
	// it.
	minKeepAlive = 100 * time.Millisecond
	// maxDialTime is the timeout of one connection attempt. The kernel would retry for
	// two minutes at growing intervals, but a new attempt sends a packet at once.
	maxDialTime = time.Second
)

// errPaused means that an answer was read well after the deadline, which did not
// interrupt the read: this program was stopped, and the answer may have waited in
// the socket all that time.
var errPaused = errors.New("this program was stopped for too long, so the answers in its socket may be old")

// WatchRequest says what to watch.
type WatchRequest struct {
	Address string // HOST:PORT of the sidecar
	Service string // at most 255 bytes; "" is all services together

	// KeepAlive is the longest time between two answers of a healthy sidecar. 0 is
	// 1 s; less than 100 ms counts as 100 ms.
	KeepAlive time.Duration

	// Silence is how long no answer may come before Watch reports an error. It must
	// be longer than KeepAlive.
	Silence time.Duration

	Key *lmp.Key // signs the request and verifies the answers; nil for neither
}

// Update is what [Watch] reports: an answer, or an error after a period without any.
type Update struct {
	Answer lmp.Answer // the server's latest answer; only valid if Err is nil
	Err    error      // why no answer came
}

// Watch sends a WATCH over TCP and calls report with each answer, a change or a
// keep-alive, until ctx is done; then it returns ctx's error. It returns an error at
// once if req is invalid. An answer may have any status: only lmp.StatusServing
// means serving. A serving answer is not reported if a newer one was read with it.
//
// Watch reconnects when a connection is lost, at once and then every 50 to 250 ms.
// It does not report that, since the sidecar may restart under a healthy program;
// the last answer stays valid. After req.Silence without a valid answer it reports
// one Update with an Err, whatever the reason: the server is gone, frozen, sends
// something else or lacks the key. The next Update is an answer again.
//
// If this program was itself stopped or starved, Watch reports the silence up to
// 200 ms later. It discards answers that may be from before, and sends a new request.
//
// If the host is a name, Watch tries its addresses as [Do] does, each time that it
// connects, and keeps the first that answers. While no name server answers, it uses
// the addresses of the last successful lookup.
//
// Watch calls report from one goroutine at a time, and not after Watch has returned.
// It reads nothing until report returns.
func Watch(ctx context.Context, req WatchRequest, report func(Update)) error {
	w, err := newWatcher(req, report)
	if err != nil {
		return err
	}
	return w.run(ctx)
}

// watcher runs one Watch.
type watcher struct {
	request Request // of the kind WATCH; MaxAge is the keep-alive interval
	server  dialer
	lookup  lookup
	dial    func(ctx context.Context, address string) (net.Conn, error)
	silence *silenceTimer
	// answerTimeout is how long a connection may stay without an answer. It is the
	// keep-alive interval plus half of the time that is then left of the silence, so
	// that another connection can still answer in time.
	answerTimeout time.Duration
}

func newWatcher(req WatchRequest, report func(Update)) (*watcher, error) {
	if err := validateWatch(req); err != nil {
		return nil, err
	}
	keepAlive := req.keepAlive()
	w := &watcher{
		request: req.request(),
		server:  dialer{network: "tcp", address: req.Address},
		dial: func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
		silence:       newSilenceTimer(req.Address, req.Silence, report),
		answerTimeout: keepAlive + (req.Silence-keepAlive)/2,
	}
	w.lookup.resolve = func(ctx context.Context) ([]string, error) { return w.server.addresses(ctx) }
	return w, nil
}

// validateWatch returns why req cannot be sent, or nil.
func validateWatch(req WatchRequest) error {
	_, port, err := net.SplitHostPort(req.Address)
	if err != nil {
		return err
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return err
	}
	if req.KeepAlive < 0 {
		return fmt.Errorf("the keep-alive %v is less than 0", req.KeepAlive)
	}
	if _, err := newExchange(req.request()); err != nil {
		return err
	}
	if keepAlive := req.keepAlive(); req.Silence <= keepAlive {
		return fmt.Errorf("the silence %v is not longer than the keep-alive %v: allow more", req.Silence, keepAlive)
	}
	return nil
}

// request returns the request that is sent. The wire has the keep-alive interval in
// place of a CHECK's max_age.
func (r WatchRequest) request() Request {
	return Request{Network: "tcp", Address: r.Address, Kind: lmp.KindWatch, Service: r.Service, MaxAge: r.KeepAlive, Key: r.Key}
}

// keepAlive returns the interval that the server uses.
func (r WatchRequest) keepAlive() time.Duration {
	if r.KeepAlive == 0 {
		return defaultKeepAlive
	}
	return max(r.KeepAlive, minKeepAlive)
}

// run watches until ctx is done.
func (w *watcher) run(ctx context.Context) error {
	w.silence.start()
	defer w.silence.stop()
	var redial backoff
	for ctx.Err() == nil {
		uptime, err := w.runConn(ctx)
		w.silence.recordError(err)
		sleep.For(ctx, redial.next(uptime))
	}
	return ctx.Err()
}

// runConn connects and reports the answers until there are no more. It returns how
// long the connection was up, 0 if it never answered, and why it ended.
func (w *watcher) runConn(ctx context.Context) (uptime time.Duration, err error) {
	conn, err := w.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	// Closing interrupts the reads when ctx is done.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	start := time.Now()
	for a, last := conn.first, conn.sent; ; {
		if time.Since(last) > w.answerTimeout+maxTimerDelay {
			return time.Since(start), errPaused
		}
		if a.Status != lmp.StatusServing || !conn.hasNewer() {
			w.silence.recordAnswer(a)
		}
		last = time.Now()
		conn.SetReadDeadline(last.Add(w.answerTimeout))
		if a, err = conn.exchange.read(conn.in); err != nil {
			return time.Since(start), connError(err, true)
		}
	}
}

// connError translates the error that ended a connection for a person. answered
// reports whether the connection had an answer before.
func connError(err error, answered bool) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errNoAnswer
	case errors.Is(err, ErrRejected) && answered:
		return errors.New("the server closed the connection")
	}
	return err
}

// connection is a connection whose server has answered.
type connection struct {
	net.Conn
	in       *bufio.Reader
	exchange *exchange
	sent     time.Time // when the request was
	first    lmp.Answer
}

// hasNewer reports whether another whole frame was read already, as after a short
// stop of this program. The answer before it may then be out of date.
func (c *connection) hasNewer() bool {
	start, err := c.in.Peek(min(c.in.Buffered(), lmp.HeaderLength))
	if err != nil {
		return false
	}
	length, err := lmp.FrameLength(start)
	return err == nil && length > 0 && c.in.Buffered() >= length
}

// connect returns a connection to the first address of the server that answers.
func (w *watcher) connect(ctx context.Context) (*connection, error) {
	addresses, err := w.lookup.addresses(ctx, w.dialTimeout())
	if err != nil {
		return nil, err
	}
	return race(ctx, addresses, w.answerTimeout, w.connectTo, func(late *connection) { late.Close() })
}

// connectTo connects to the address, sends the request and waits for the first
// answer.
func (w *watcher) connectTo(ctx context.Context, address string, _ func()) (*connection, error) {
	dialCtx, cancel := context.WithTimeout(ctx, w.dialTimeout())
	defer cancel()
	conn, err := w.dial(dialCtx, address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	c, err := w.sendRequest(conn)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, connError(err, false)
	}
	return c, nil
}

// sendRequest sends the request on conn and reads the first answer.
func (w *watcher) sendRequest(conn net.Conn) (*connection, error) {
	e, err := newExchange(w.request) // with a new nonce, so that no old answer is accepted
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: conn, in: bufio.NewReader(conn), exchange: e, sent: time.Now()}
	conn.SetDeadline(c.sent.Add(w.answerTimeout))
	// A server that has already rejected the connection may make the write fail, so
	// the result of the read decides.
	_, _ = conn.Write(e.request)
	c.first, err = e.read(c.in)
	return c, err
}

// dialTimeout is how long a connection may take to be established.
func (w *watcher) dialTimeout() time.Duration { return min(maxDialTime, w.answerTimeout) }
