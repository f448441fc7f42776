package lmp

import (
	"container/list"
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/registry"
)

// waitAgain is how long a client that had no place to wait in is not tried again.
const waitAgain = 200 * time.Millisecond

// audience is the connections that watch the same name. They share one subscription, and
// one wait for an answer that is not final.
//
// The wait takes a place of the client of one of them. If that client has none, the next
// wait begins in a place of the next one's client, and so on. No other member does anything
// for that, so that each try costs the same, however many members there are.
type audience struct {
	members []*conn
	changes *registry.Subscription
	pending atomic.Bool // the loop is about to call changed
	waiting bool        // until the answer is final
	// queue is the members that wait and whose clients may have a place, a *conn each. Those
	// that wait and are not in it have a deadline at which they look up the answer again.
	queue   list.List
	refused map[netip.Prefix]struct{} // the clients that had no place, until again; nil = none
	again   time.Duration
	// changedAt is when changed was last called. An answer from before it may be old.
	changedAt time.Time
}

// awaited is the end of an audience's wait.
type awaited struct {
	answer registry.Answer // which is final
	at     time.Time       // when it was looked up, or before
	err    error           // there is no answer, because landmarkd stops
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

// changed makes each member look up the answer, a few at a time. Those for which the
// audience waits do so at the end of the wait.
func (a *audience) changed() {
	a.pending.Store(false)
	a.changedAt = time.Now()
	for _, c := range a.members {
		c.watch.changed = true
		c.watch.awaited = nil // it may be older
		if c.waiting && c.watch.queued == nil {
			c.goOn(nil) // the answer may be final by now, and no wait would say so
		}
		c.Queue()
	}
}

// awaitFor makes c wait for the final answer about the name that it watches, together with
// its audience.
func (s *Server) awaitFor(c *conn) {
	a := c.watch.audience
	c.watch.queued = a.queue.PushBack(c)
	s.awaitNext(a, c.watch.request.Service)
}

// awaitNext begins a wait for the audience of the name, unless there is one, in a place of
// the first client in the queue that was not refused one.
func (s *Server) awaitNext(a *audience, name []byte) {
	if s.tcp.loop.Now() >= a.again {
		a.refused = nil
	}
	for !a.waiting && a.queue.Len() > 0 {
		c := a.queue.Front().Value.(*conn)
		client := c.client()
		if _, refused := a.refused[client]; !refused {
			s.awaitIn(a, name, client)
			return
		}
		c.leaveQueue()
		c.SetDeadline(a.again)
	}
}

// awaitIn waits for the final answer about the name in a place of the client, and then makes
// each member of the audience that waits go on, a few at a time.
func (s *Server) awaitIn(a *audience, name []byte, client netip.Prefix) {
	a.waiting = true
	ctx := registry.WithClient(s.tcp.ctx, client)
	s.tcp.waits.Go(func() {
		got := s.awaitFinal(ctx, name)
		s.tcp.loop.Post(func() {
			a.waiting = false
			if errors.Is(got.err, registry.ErrOverloaded) {
				if a.refused == nil {
					a.refused, a.again = make(map[netip.Prefix]struct{}), s.tcp.loop.Now()+waitAgain
				}
				a.refused[client] = struct{}{}
				s.awaitNext(a, name)
				return
			}
			a.refused = nil
			for _, c := range a.members {
				if c.waiting {
					c.goOn(got)
				}
			}
		})
	})
}

// goOn makes the connection, which waits, go on with what its audience has got.
func (c *conn) goOn(got *awaited) {
	c.waiting = false
	c.leaveQueue()
	c.watch.changed, c.watch.awaited = true, got
	c.Queue()
}

// leaveQueue removes the connection from its audience's queue, if it is there.
func (c *conn) leaveQueue() {
	if w := c.watch; w.queued != nil {
		w.audience.queue.Remove(w.queued)
		w.queued = nil
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
	c.leaveQueue()
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
