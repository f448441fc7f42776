package registry

import (
	"errors"
	"sync/atomic"

	"github.com/landmark-health/landmark/internal/judge"
)

// sessionCounters count sessions.
type sessionCounters struct {
	numbers   atomic.Uint64 // given to sessions so far
	opened    atomic.Uint64
	goodbyes  atomic.Uint64
	lost      atomic.Uint64
	ended     atomic.Uint64
	notOwner  atomic.Uint64
	overLimit atomic.Uint64
}

// SessionCounts are how many sessions there were since the sidecar started.
type SessionCounts struct {
	Opened    uint64
	Goodbyes  uint64 // ended by the process, on purpose
	Lost      uint64 // ended without a goodbye
	Ended     uint64 // ended by the registry
	NotOwner  uint64 // refused, because the service is another user's
	OverLimit uint64 // refused at a limit
}

// Open returns how many are open now.
func (c SessionCounts) Open() uint64 { return c.Opened - c.Goodbyes - c.Lost - c.Ended }

// Sessions returns how many sessions there were.
func (r *Registry) Sessions() SessionCounts {
	c := &r.sessions
	// The ends are read first: no session ends before it is opened.
	n := SessionCounts{
		Goodbyes: c.goodbyes.Load(), Lost: c.lost.Load(), Ended: c.ended.Load(),
		NotOwner: c.notOwner.Load(), OverLimit: c.overLimit.Load(),
	}
	n.Opened = c.opened.Load()
	return n
}

// countOpening counts a session that Open has opened, or refused with err.
func (c *sessionCounters) countOpening(err error) {
	if err == nil {
		c.opened.Add(1)
		return
	}
	c.countRefusal(err)
}

// countRefusal counts a session that was refused with err.
func (c *sessionCounters) countRefusal(err error) {
	switch {
	case errors.Is(err, ErrNotOwner):
		c.notOwner.Add(1)
	case errors.Is(err, ErrLimit):
		c.overLimit.Add(1)
	}
}

// countEnd counts the end of a session.
func (c *sessionCounters) countEnd(how judge.Presence, byRegistry bool) {
	switch {
	case byRegistry:
		c.ended.Add(1)
	case how == judge.SaidGoodbye:
		c.goodbyes.Add(1)
	default:
		c.lost.Add(1)
	}
}

// endedByRegistry reports whether the registry has ended or refused the session.
func (s *Session) endedByRegistry() bool {
	if s.service == nil {
		return s.refused
	}
	s.service.mu.Lock()
	defer s.service.mu.Unlock()
	return s.ended != nil
}
