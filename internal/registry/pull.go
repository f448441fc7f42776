package registry

import (
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

const (
	// pullsPerSecond bounds the get-state commands that checkers can put to one
	// service's main loops.
	pullsPerSecond = 100
	// pullsAtOnce is how many of them may follow each other at once.
	pullsAtOnce = 10
	// maxPollTimeout is the longest a checker waits for a get-state command to
	// be answered; the service's smallest Loop Within if that is less.
	maxPollTimeout = 800 * time.Millisecond
)

// polled is one get-state command on its way through a service's main loops. All
// who ask in the meantime wait for the same one.
type pull struct {
	waiting map[*Session]uint64 // the command's number in each session that has not answered
	done    chan struct{}       // closed once none is waited for
}

// answered notes that the session's loops have answered all commands up to
// number, and returns the pull that is still open, nil if none is.
func (p *pull) answered(by *Session, number uint64) *pull {
	if p == nil || p.waiting[by] > number {
		return p
	}
	return p.without(by)
}

// without waits for the session no longer, and returns the pull that is still
// open.
func (p *pull) without(gone *Session) *pull {
	if p == nil {
		return nil
	}
	delete(p.waiting, gone)
	if len(p.waiting) > 0 {
		return p
	}
	close(p.done)
	return nil
}

// pollFor returns what to wait for so that the last answer of every main loop
// that bears on the aspect is at since or later: the done channel of a command that is on its way, its own or
// another checker's. It returns nil if the answers are young enough, if there is
// no loop to ask, or if the service was asked often enough this second.
func (s *service) pollFor(a judge.Aspect, since, now judge.Instant) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	var old []*Session
	for _, p := range s.slots {
		if p.session != nil && p.instance.CanPoll(a) && p.instance.FactsAt(a) < since {
			old = append(old, p.session)
		}
	}
	switch {
	case len(old) == 0:
		return nil
	case s.poll != nil:
		return s.poll.done
	case !s.pollLimit.take(now):
		return nil
	}
	s.poll = &pull{waiting: make(map[*Session]uint64, len(old)), done: make(chan struct{})}
	for _, session := range old {
		session.lastCommand++
		s.poll.waiting[session] = session.lastCommand
		session.link.GetState(session.lastCommand)
	}
	return s.poll.done
}

// pollLimit allows pullsPerSecond within any second, pullsAtOnce of them at once
// and the others evenly. So nobody who asks for the newest facts all the time
// can keep others from facts that are a few hundredths of a second old.
type budget struct {
	full judge.Instant // when the budget will be whole again
}

// takeSlot reports whether one more is allowed at now.
func (b *budget) take(now judge.Instant) bool {
	const each = time.Second / (pullsPerSecond - pullsAtOnce)
	full := max(b.full, now).Add(each)
	if full.Sub(now) > pullsAtOnce*each {
		return false
	}
	b.full = full
	return true
}

// pollTimeout is how long a checker waits for the service's main loops: what its
// policy says, else the smallest Within of a Loop, at most maxAskTimeout.
func (s *snapshot) pollTimeout() time.Duration {
	if s.policy.PollTimeout > 0 {
		return s.policy.PollTimeout
	}
	timeout := maxPollTimeout
	for _, in := range s.facts.Instances {
		timeout = min(timeout, in.LoopWithin())
	}
	return timeout
}
