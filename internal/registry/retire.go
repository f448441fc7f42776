package registry

import (
	"slices"

	"github.com/landmark-health/landmark/internal/judge"
)

// This file is how services end. A service is retired under its own mu, so that it
// takes no further report, and then dropped from the registry.

// retire drops the service if nothing is left of it but vacancies. It reports
// whether it did. The caller holds mu.
func (r *Registry) retire(s *service) bool {
	s.mu.Lock()
	idle := s.idle()
	s.retired = s.retired || idle
	s.mu.Unlock()
	if idle {
		r.drop(s)
	}
	return idle
}

// expired drops the service if its last process said goodbye forget_after ago.
func (r *Registry) expired(s *service) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.expires() <= s.clock.Judged() {
		r.retire(s)
	}
}

// retireUnreported retires the service if it was never reported and is not drained.
// It reports whether it did. The caller holds the registry's mu.
func (s *service) retireUnreported() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner.Load() == NoOwner && !s.drain.active {
		s.retired = true
	}
	return s.retired
}

// idle reports whether nothing is left of the service but vacancies: it is neither
// configured nor drained, and no instance is connected or awaited. The caller holds
// mu.
func (s *service) idle() bool {
	return s.current.Load().idle(s.drain.active) && s.noInstances() &&
		!slices.ContainsFunc(s.slots, func(sl *slot) bool { return sl.vacancy != nil })
}

// idle reports the same of what was published, except for an operator's drain.
func (s *snapshot) idle(drained bool) bool {
	return !s.policy.Configured && !drained &&
		!slices.ContainsFunc(s.facts.Instances, func(in *judge.Instance) bool {
			return in.Presence == judge.Connected || in.Presence == judge.Awaited
		})
}

// expires returns when the service must be dropped: forget_after after its last
// process said goodbye. A service whose process was lost is kept, because the
// process is missed.
func (s *service) expires() judge.Instant {
	snap := s.current.Load()
	if !snap.idle(snap.facts.Drained) {
		return judge.Never
	}
	if len(snap.facts.Instances) == 0 {
		return 0
	}
	since, stopped := snap.idleSince()
	if !stopped {
		return judge.Never
	}
	return since.Add(snap.policy.ForgetAfter) + 1
}

// idleSince returns since when no process is there, and whether all have said
// goodbye.
func (s *snapshot) idleSince() (since judge.Instant, stopped bool) {
	stopped = true
	for i, in := range s.facts.Instances {
		if in.Presence == judge.Vacant {
			stopped = false
		}
		if i == 0 || in.Since > since {
			since = in.Since
		}
	}
	return since, stopped
}
