package lmp

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

const (
	// defaultKeepAlive is the keep-alive interval when the request gives none.
	defaultKeepAlive = time.Second
	// minKeepAlive is the shortest interval.
	minKeepAlive = 100 * time.Millisecond
	// waitAgain is how long a WATCH waits until it asks again for an answer for which too
	// many of its client wait.
	waitAgain = 200 * time.Millisecond
)

// changeKey is what must differ for a WATCH to send an answer before the
// keep-alive: all of the frame except its ages, which always differ.
type changeKey struct {
	status   lmp.Status
	cause    lmp.Cause
	weight   uint8
	failing  uint8
	degraded bool
	changes  uint32
}

func changeKeyOf(a *lmp.Answer) changeKey {
	return changeKey{a.Status, a.Cause, a.Weight, a.Failing, a.Degraded, a.Changes}
}

// watch is the WATCH of a connection: it sends the present answer, each change of it, and
// the answer again when no frame was sent for the keep-alive interval. It looks up the
// answer only after the checker has received the last frame. So a slow checker gets the
// latest answer, and nothing is queued for it.
type watch struct {
	request  lmp.Request
	key      *lmp.Key
	checker  *checkers.Watch
	audience *audience
	index    int // in the audience
	last     changeKey
	due      time.Duration // when the answer is sent again
	changed  bool          // there may be another answer than the last
	resend   bool          // it must be sent though it has not changed
	waits    time.Time     // since when it waits for a final answer
	awaited  *awaited      // what the audience has got since then, nil = nothing
	noSlot   bool          // it waits until it may find a slot to wait in
}

// awaited is the end of an audience's wait.
type awaited struct {
	answer registry.Answer // which is final
	at     time.Time       // when it was looked up, or before
	err    error           // there is no answer, because landmarkd stops
}

// beginWatch begins a WATCH. It sends nothing yet.
func (c *conn) beginWatch(q lmp.Request, key *lmp.Key) {
	q.Service = bytes.Clone(q.Service) // reading the next frame overwrites it
	c.watch = &watch{
		request: q,
		key:     key,
		checker: c.server.config.Checkers.Watch(checkers.Checker{From: c.checker.From, Via: checkers.LMPWatch}),
		resend:  true,
	}
	c.watch.sent(c.server.tcp.loop.Now())
	// Subscribe before the first lookup, so that no change is missed.
	c.server.audienceOf(q.Service).join(c)
}

// endWatch ends the WATCH, if there is one: the checker's next frame does, but not before
// one answer was sent.
func (c *conn) endWatch() {
	if c.watch == nil {
		return
	}
	c.server.leaveAudience(c)
	c.watch.checker.End()
	c.watch = nil
}

// wanted reports whether an answer must be looked up.
func (w *watch) wanted() bool { return w.changed || w.resend }

// sent begins the keep-alive interval.
func (w *watch) sent(now time.Duration) { w.due = now + keepAlive(w.request) }

// tell looks up the answer and sends it if the checker must get it. It reports whether
// the connection can go on. Each frame waits until its answer is final, as any other
// answer does, but together with those of the others who watch the same name.
func (c *conn) tell() bool {
	w := c.watch
	if len(c.server.tcp.out) > 0 && !c.flush() {
		return false
	}
	w.changed = false // from here on another change counts
	a, final := c.server.config.Source.Lookup(w.request.Service, registry.AnyAge)
	got := w.awaited
	w.awaited = nil
	switch {
	case final:
	case got != nil && got.err != nil:
		c.Close()
		return false
	case got != nil && got.at.After(w.waits) && got.at.After(w.audience.changedAt) && time.Since(got.at) < maxHeld:
		a = got.answer // memory is uncertain again, but nothing is known to have changed since
	default:
		c.waiting, w.waits = true, time.Now()
		c.SetDeadline(0)
		c.server.awaitFor(c)
		return false
	}
	w.checker.Record(frontend.CheckOf(w.request.Service, &a))
	answer := translate(w.request, &a)
	if now := changeKeyOf(&answer); w.resend || now != w.last {
		w.last, w.resend = now, false
		w.sent(c.server.tcp.loop.Now())
		c.server.tcp.out = lmp.AppendAnswer(c.server.tcp.out, &answer, lmp.MaxLength, w.key)
	}
	return c.flush()
}

// keepAlive returns the longest time between two frames.
func keepAlive(q lmp.Request) time.Duration {
	if q.MaxAge == 0 {
		return defaultKeepAlive
	}
	return max(q.MaxAge, minKeepAlive)
}

// audience is the connections that watch the same name. They share one subscription, and
// one wait for an answer that is not final.
type audience struct {
	members []*conn
	changes *registry.Subscription
	pending atomic.Bool // the loop is about to call changed
	waiting bool        // until the answer is final
	// changedAt is when changed was last called. An answer from before it may be old.
	changedAt time.Time
}

// audienceOf returns the audience of the name.
func (s *Server) audienceOf(name []byte) *audience {
	if a := s.tcp.audiences[string(name)]; a != nil {
		return a
	}
	a := &audience{}
	s.tcp.audiences[string(name)] = a
	a.changes = s.config.Source.SubscribeFunc(name, func() {
		if !a.pending.Swap(true) {
			s.tcp.loop.Post(a.changed)
		}
	})
	return a
}

// changed makes each member look up the answer, a few at a time.
func (a *audience) changed() {
	a.pending.Store(false)
	a.changedAt = time.Now()
	for _, c := range a.members {
		c.watch.changed = true
		c.watch.awaited = nil // it may be older
		c.Queue()
	}
}

// awaitFor waits for the final answer about the name that c watches, in a slot of c's client,
// and then makes each member of the audience that waits go on, a few at a time.
func (s *Server) awaitFor(c *conn) {
	a, name, client := c.watch.audience, c.watch.request.Service, c.client()
	if a.waiting {
		return
	}
	a.waiting = true
	ctx := registry.WithClient(s.tcp.ctx, client)
	s.tcp.waits.Go(func() {
		got := s.awaitFinal(ctx, name)
		s.tcp.loop.Post(func() {
			a.waiting = false
			if errors.Is(got.err, registry.ErrOverloaded) {
				s.awaitAgain(a, client)
				return
			}
			for _, c := range a.members {
				c.goOn(got)
			}
		})
	})
}

// awaitAgain goes on after the client had no slot for a wait of the audience: at once in
// a slot of another member's client, and later in one of the client's own. So that a client
// has too many that wait costs no other.
func (s *Server) awaitAgain(a *audience, client netip.Prefix) {
	for _, c := range a.members {
		switch {
		case !c.waiting || c.watch.noSlot:
		case c.client() == client:
			c.watch.noSlot = true
			c.SetDeadline(s.tcp.loop.Now() + waitAgain)
		default:
			c.goOn(nil)
		}
	}
}

// goOn makes the connection go on, if it waits, with what its audience has got.
func (c *conn) goOn(got *awaited) {
	if c.waiting {
		c.waiting, c.watch.noSlot = false, false
		c.watch.changed, c.watch.awaited = true, got
		c.Queue()
	}
}

// awaitFinal waits until the answer about the name is final, and looks it up. It does not
// take the answer of Await, of which it is not known when it was looked up: it would be too
// old for a member that came after that.
func (s *Server) awaitFinal(ctx context.Context, name []byte) *awaited {
	for {
		if _, err := s.config.Source.Await(ctx, name, registry.AnyAge); err != nil {
			return &awaited{err: err}
		}
		got, final := &awaited{at: time.Now()}, false
		if got.answer, final = s.config.Source.Lookup(name, registry.AnyAge); final {
			return got
		}
	}
}

func (a *audience) join(c *conn) {
	c.watch.audience, c.watch.index = a, len(a.members)
	a.members = append(a.members, c)
}

// leaveAudience removes the connection from the audience of its WATCH.
func (s *Server) leaveAudience(c *conn) {
	a, last := c.watch.audience, len(c.watch.audience.members)-1
	a.members[c.watch.index] = a.members[last]
	a.members[c.watch.index].watch.index = c.watch.index
	a.members[last] = nil
	a.members = a.members[:last]
	if last == 0 {
		delete(s.tcp.audiences, string(c.watch.request.Service))
		a.changes.Close()
	}
}
