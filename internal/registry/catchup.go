package registry

import (
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
)

// This file is what the registry does after a pause of the sidecar. The reports
// that came meanwhile are still in the sockets. Until those of a process are read,
// its silence does not count, and its service is held at the instant at which the
// pause began. Each service catches up by itself: a process that sends more than
// is read of it holds up only its own service.

// reportInterval returns the time between two reports of such landmarks.
func reportInterval(landmarks []judge.Declared) time.Duration {
	var smallest time.Duration
	for _, l := range landmarks {
		if limit := max(l.Within, l.TTL); limit > 0 && (smallest == 0 || limit < smallest) {
			smallest = limit
		}
	}
	return contract.ReportInterval(smallest)
}

// Pause implements clock.Follower: it holds every service that has sessions, or an
// active check that is overdue.
func (r *Registry) Pause(began, ended judge.Instant) {
	for _, s := range *r.services.Load() {
		s.pause(began, ended)
	}
}

// CatchUp implements clock.Follower: it releases the services that have caught up.
func (r *Registry) CatchUp(real judge.Instant) (behind bool) {
	for _, s := range *r.services.Load() {
		if s.behind() && !s.catchUp(real) {
			behind = true
		}
	}
	return behind
}

// pause holds the service, if it has sessions or an active check that is overdue. One
// that is held already stays where it is, so that a series of pauses does not hide a
// frozen process forever.
func (s *service) pause(began, ended judge.Instant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.behind() {
		return
	}
	hold := s.hostOverdue
	for _, sl := range s.slots {
		if sl.session != nil {
			sl.session.emptyChecks = 0
			hold = true
		}
	}
	if hold {
		s.resumed = ended
		s.heldAt.Store(int64(began))
	}
}

// catchUp releases the service if its sessions have caught up, or have not within
// clock.MaxBehind. It reports whether it did.
func (s *service) catchUp(real judge.Instant) (released bool) {
	s.update(func() bool {
		released = real.Sub(s.resumed) > clock.MaxBehind || s.caughtUp(real)
		if released {
			s.heldAt.Store(int64(judge.Never))
		}
		return released
	})
	return released
}

// caughtUp reports whether everything is read that came during the pause, no active
// check is overdue, and the latest report of each session is no older than the
// interval of its reports. A process that could not send, or was stopped together with the sidecar, gets the
// time to report again, unless its silence until then changes nothing. The caller
// holds mu.
func (s *service) caughtUp(real judge.Instant) bool {
	allRead, silent := !s.hostOverdue, time.Duration(0)
	for _, sl := range s.slots {
		if sl.session == nil {
			continue
		}
		allRead = sl.session.caughtUp() && allRead
		if limit := sl.session.interval + clock.MaxGap; sl.session.latest < s.resumed.Add(-limit) {
			silent = max(silent, limit)
		}
	}
	if !allRead || silent == 0 {
		return allRead
	}
	snap := s.current.Load()
	return snap.sameCauses(snap.at(real.Add(silent)))
}

// caughtUp reports whether everything is read that the process sent during the
// pause. The caller holds service.mu.
func (s *Session) caughtUp() bool {
	if s.emptyChecks < clock.EmptyChecks && s.link.CaughtUp() {
		s.emptyChecks++
	}
	return s.emptyChecks >= clock.EmptyChecks
}
