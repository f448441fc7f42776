package lmp

import (
	"bytes"
	"container/list"
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
	queued   *list.Element // in the audience's queue, nil = it is not there
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
