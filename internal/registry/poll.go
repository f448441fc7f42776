package registry

import (
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/poll"
)

// pollFor returns a channel to wait for until the last answer of every main loop
// that counts for the aspect is from since or later: that of a command on its way,
// which this or another checker caused. It returns nil if the answers are new
// enough, if there is no loop to ask, or if the limit of commands is reached.
func (s *service) pollFor(a judge.Aspect, since, now judge.Instant) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	var old []*Session
	for _, sl := range s.slots {
		if sl.session != nil && sl.instance.CanPoll(a) && sl.instance.FactsAt(a) < since {
			old = append(old, sl.session)
		}
	}
	switch {
	case len(old) == 0:
		return nil
	case s.poll != nil:
		return s.poll.Done()
	case !s.pollLimit.Allow(now):
		return nil
	}
	s.poll = poll.NewRound[*Session]()
	for _, session := range old {
		session.lastCommand++
		s.poll.Add(session, session.lastCommand)
		session.link.GetState(session.lastCommand)
	}
	return s.poll.Done()
}
