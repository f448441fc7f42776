package lmp

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/eventloop"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
	"github.com/landmark-health/landmark/lmp"
)

// conn is a connection over TCP. All that it does, it does in the loop's goroutine, and
// never waits there. While it cannot go on, because an answer is not final or the checker
// does not read, it reads nothing, and a later call goes on where this one stopped.
type conn struct {
	eventloop.Conn
	server  *Server
	checker checkers.Checker
	slot    socket.Slot
	frames  frames
	watch   *watch // nil = there is none
	unsent  []byte // answers that the checker has not received
	token   bool   // one of largeFrames is held for unsent
	pending bool   // frames holds requests for which the visit had no time
	waiting bool   // until an answer is final
	ending  bool   // it is closed once unsent is sent
	closed  bool
	expires time.Duration // when the frame that has begun must be whole, 0 = none has
	// unsentUntil is when unsent must be sent.
	unsentUntil time.Duration
}

// newConn adds a connection to the loop, if it gets a slot. Otherwise it closes
// it, and returns nil.
func (s *Server) newConn(sock eventloop.Socket, key int, from netip.Addr) *conn {
	c := &conn{server: s, checker: checkers.Checker{From: from, Via: checkers.LMPTCP}, frames: frames{large: s.largeFrames}}
	if !s.takeSlot(c) {
		sock.Close()
		return nil
	}
	if err := s.tcp.loop.Add(&c.Conn, sock, key, c); err != nil {
		c.slot.Free()
		sock.Close()
		s.tcp.AcceptFailed(err)
		return nil
	}
	s.tcp.open++
	c.rest()
	return c
}

// takeSlot reports whether the connection may be open.
func (s *Server) takeSlot(c *conn) bool {
	client, err := socket.ClientAt(c.checker.From)
	return err == nil && s.tcp.slots.Take(&c.slot, client, c)
}

// client returns the client of the connection.
func (c *conn) client() netip.Prefix {
	client, _ := socket.ClientAt(c.checker.From) // takeSlot has had no error
	return client
}

// Ready implements eventloop.Handler.
func (c *conn) Ready() {
	switch {
	case c.waiting || !c.sendUnsent():
	case !c.ending:
		c.visit()
	case c.tell(): // the last answer of a WATCH, which had to wait
		c.finish()
	}
}

// visit sends what is to be sent, and answers the requests that are there. So that no
// connection keeps the loop from the others, a visit ends with the CHECKs of one read, or
// with the first request that takes long: any other request, and a CHECK of all services.
func (c *conn) visit() {
	t := c.server.tcp
	c.frames.load(t.in[:], t.readSize())
	t.spent = false
	more := !c.pending
	goOn := c.answerAll()
	if goOn && more && !t.spent && c.Readable() {
		n, err := c.frames.read(&c.Conn)
		if err != nil { // also io.EOF
			c.finish()
			return
		}
		if n > 0 {
			if goOn = c.answerAll(); len(t.out) == 0 { // else flush follows, and records the use
				c.slot.Touch()
			}
		}
	}
	if c.closed {
		return
	}
	if err := c.frames.store(); err != nil {
		c.reject(err)
		return
	}
	if goOn && c.flush() {
		c.rest()
	}
}

// answerAll answers the requests that are there, in order, until the visit's time is
// spent. It reports whether the connection can go on.
func (c *conn) answerAll() bool {
	for {
		if c.watch != nil && c.watch.wanted() && !c.tell() {
			return false
		}
		if c.pending = c.server.tcp.spent && len(c.frames.left()) > 0; c.pending {
			return true
		}
		frame, err := c.frames.next()
		if err != nil {
			c.reject(err)
			return false
		}
		if frame == nil {
			return true
		}
		c.expires = 0
		if !c.answer(frame) {
			return false
		}
	}
}

// answer answers the request in the frame. It reports whether the connection can go on.
func (c *conn) answer(frame []byte) bool {
	s := c.server
	timing := s.tcpAnswers.BeginAll(min(1+len(c.frames.left())/len(frame), frontend.MaxTogether))
	q, key, err := s.parse(frame)
	if err != nil {
		c.reject(err)
		return false
	}
	c.slot.MarkAnswered()
	c.endWatch()
	s.tcp.spent = s.tcp.spent || q.Kind != lmp.KindCheck || registry.ConcernsAll(q.Service)
	if q.Kind == lmp.KindWatch {
		c.beginWatch(q, key)
		return true
	}
	a, final := s.config.Source.Lookup(q.Service, q.MaxAge)
	if final {
		return c.reply(q, key, &a, timing, frame)
	}
	if !c.flush() { // the answers before it do not wait
		c.frames.unread(frame)
		return false
	}
	c.awaitReply(q, key, timing)
	return false
}

// awaitReply answers q once the answer is final. It is not a part of answer, where it
// would make each answer allocate.
func (c *conn) awaitReply(q lmp.Request, key *lmp.Key, timing frontend.Timing) {
	timing.Wait()
	q.Service = bytes.Clone(q.Service) // reading the next frame overwrites it
	c.await(q.Service, q.MaxAge, func(a *registry.Answer) bool { return c.reply(q, key, a, timing, nil) })
}

// reply appends the answer to q. If frame is not nil, it is that of q, and the answer is
// for the equal requests that follow too: they arrived before it was looked up. reply
// reports whether the connection can go on.
func (c *conn) reply(q lmp.Request, key *lmp.Key, a *registry.Answer, timing frontend.Timing, frame []byte) bool {
	s := c.server
	limit := lmp.MaxLength
	if q.Kind == lmp.KindDescribe {
		// While there are too many large frames, the answer is truncated as it is
		// over UDP, so that no checker can keep it from others.
		if c.token = s.largeFrames.acquire(); !c.token {
			limit = smallBuffer
		}
	}
	answer := translate(q, a)
	s.tcp.out = lmp.AppendAnswer(s.tcp.out, &answer, limit, key)
	n := 1
	if frame != nil && key == nil && !s.tcp.spent { // each signature must be verified
		n += c.repeat(frame)
	}
	frontend.RecordChecks(s.config.Checkers, c.checker, q.Service, n, a)
	s.tcpAnswers.EndAll(timing, n)
	if c.token || len(s.tcp.out) >= s.tcp.readSize() {
		return c.flush()
	}
	return true
}

// repeat appends the answer to the request in frame, which was appended last, for each equal
// one that follows. It returns how many these are.
func (c *conn) repeat(frame []byte) (n int) {
	out, left := c.server.tcp.out, c.frames.left()
	left = left[:min(len(left), (frontend.MaxTogether-1)*len(frame))]
	c.server.tcp.out, n = lmp.AppendRepeated(out, out[len(out)-lmp.HeaderLength:], frame, left)
	c.frames.skip(n * len(frame))
	return n
}

// await waits for the final answer about the name, and then calls then, which reports
// whether the connection can go on.
func (c *conn) await(name []byte, maxAge time.Duration, then func(*registry.Answer) bool) {
	s := c.server
	c.waiting = true
	c.SetDeadline(0)
	ctx := registry.WithClient(s.tcp.ctx, c.client())
	s.tcp.waits.Go(func() {
		a, err := s.config.Source.Await(ctx, name, maxAge)
		s.rejections.countError(err)
		looksUp := time.Now()
		s.tcp.loop.Post(func() {
			c.waiting = false
			switch {
			case c.closed:
			case err != nil:
				c.Close()
			case time.Since(looksUp) >= maxHeld:
				s.rejections.Count(held)
				c.Close()
			case !then(&a):
			case c.ending:
				c.finish()
			default:
				c.visit()
			}
		})
	})
}

// rest sets the deadline for what the connection waits for: the next request, or the rest
// of one that has begun.
func (c *conn) rest() {
	now := c.server.tcp.loop.Now()
	deadline := now + socket.IdleTimeout
	if c.watch != nil {
		deadline = c.watch.due
	}
	if c.frames.unfinished() && !c.pending {
		if c.expires == 0 {
			c.expires = now + socket.FrameTimeout
		}
		deadline = c.expires
		if c.watch != nil {
			deadline = min(deadline, c.watch.due)
		}
	}
	c.SetDeadline(deadline)
	if c.pending || c.Readable() {
		c.Queue()
	}
}

// Due implements eventloop.Handler.
func (c *conn) Due() {
	now := c.server.tcp.loop.Now()
	switch {
	case c.waiting: // a WATCH that found no place
		c.goOn(nil)
	case len(c.unsent) > 0: // the checker does not read
		c.Close()
	case c.expires != 0 && now >= c.expires:
		c.server.rejections.Count(unfinished)
		c.Close()
	case c.watch == nil: // it is idle
		c.Close()
	default:
		c.watch.resend = c.watch.resend || now >= c.watch.due // though it has not changed
		c.Queue()
	}
}

// flush sends the answers that were appended. It reports whether the connection took all.
func (c *conn) flush() bool {
	out := c.server.tcp.out
	if len(out) == 0 {
		return true
	}
	c.server.tcp.out = out[:0]
	if c.server.tcp.loop.Late(maxHeld) { // they were looked up in this round
		c.server.rejections.Count(held)
		c.Close()
		return false
	}
	n, err := c.Write(out)
	if err != nil {
		c.Close()
		return false
	}
	c.slot.Touch()
	if n < len(out) {
		c.unsent = slices.Clone(out[n:])
		c.slot.MarkUnread(true)
		c.unsentUntil = c.server.tcp.loop.Now() + socket.FrameTimeout
		c.SetDeadline(c.unsentUntil)
		return false
	}
	c.releaseToken()
	return true
}

// sendUnsent sends the answers that the connection did not take before. It reports whether
// it has taken all, and can go on.
func (c *conn) sendUnsent() bool {
	if len(c.unsent) == 0 {
		return true
	}
	if c.server.tcp.loop.Now() >= c.unsentUntil { // landmarkd may have been stopped since
		c.Close()
		return false
	}
	n, err := c.Write(c.unsent)
	if err != nil {
		c.Close()
		return false
	}
	if n > 0 {
		c.slot.Touch()
	}
	if c.unsent = c.unsent[n:]; len(c.unsent) > 0 {
		return false
	}
	c.unsent = nil
	c.slot.MarkUnread(false)
	c.releaseToken()
	if c.ending {
		c.Close()
		return false
	}
	if c.watch != nil {
		c.watch.sent(c.server.tcp.loop.Now())
	}
	return true
}

// reject closes the connection because of err, after it has sent the answers to what came
// before.
func (c *conn) reject(err error) {
	if errors.Is(err, errTooManyLargeFrames) {
		c.server.rejections.Count(tooManyConnections)
	}
	c.server.rejections.countError(err)
	c.finish()
}

// finish closes the connection when the answers are sent.
func (c *conn) finish() {
	c.ending = true
	if !c.waiting && len(c.unsent) == 0 && c.flush() {
		c.Close()
	}
}

// Close implements eventloop.Handler. It is also called for a connection that another
// displaces.
func (c *conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	c.server.tcp.open--
	c.endWatch()
	c.releaseToken()
	c.frames.close()
	err := c.Conn.Close()
	c.slot.Free()
	return err
}

func (c *conn) releaseToken() {
	if c.token {
		c.token = false
		c.server.largeFrames.release()
	}
}
