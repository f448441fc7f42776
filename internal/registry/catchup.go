package registry

import (
	"slices"
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
//
// While the clock is quiet, nobody notices a pause. So whoever reads the clock in a new
// span of it proves first that nothing of the service's processes is unread, by a look
// at their sockets. Usually that is so, and the service goes on at once. Else it is held
// as after a pause.

// reportInterval returns the time between two reports of such landmarks.
func reportInterval(landmarks []judge.Declared) time.Duration {
	return contract.ReportInterval(landmarks, func(l judge.Declared) time.Duration { return max(l.Within, l.TTL) })
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
		if s.isHeld() && !s.catchUp(real) {
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
	if s.isHeld() {
		return
	}
	hold := s.hostOverdue || s.hasSession()
	if hold {
		s.hold(min(began, s.provedUntil()), ended)
	}
	s.proved.Store(s.clock.Span())
}

// hold holds the service at the instant at, until its sessions have caught up with the
// time from then to resumed. The caller holds mu, and the service is not held.
func (s *service) hold(at, resumed judge.Instant) {
	for _, sl := range s.slots {
		if sl.session != nil {
			sl.session.emptyChecks = 0
			sl.session.look()
		}
	}
	s.resumed, s.released = resumed, make(chan struct{})
	s.heldAt.Store(int64(max(at, s.judgedTo)))
}

// release releases the service if it is held, and its sessions have caught up or have not
// within clock.MaxBehind. It reports whether it did. The caller holds mu, and publishes.
func (s *service) release(real judge.Instant) (released bool) {
	if !s.isHeld() || real.Sub(s.resumed) <= clock.MaxBehind && !s.caughtUp(real) {
		return false
	}
	s.heldAt.Store(int64(judge.Never))
	s.timerAt = judge.Never // while the service was held, its timer was set by an instant that stood still
	close(s.released)
	return true
}

// untilReleased returns a channel that is closed when the service is released, nil if it
// is not held.
func (s *service) untilReleased() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isHeld() {
		return nil
	}
	return s.released
}

func (s *service) hasSession() bool {
	return slices.ContainsFunc(s.slots, func(sl *slot) bool { return sl.session != nil })
}

// provedUntil returns the instant up to which all is read that counts for the service,
// as far as that is proved, or judge.Never. The caller holds mu.
func (s *service) provedUntil() judge.Instant {
	if span := s.proved.Load(); span != s.clock.Span() {
		return span.End()
	}
	return judge.Never
}

// prove proves that all is read that counts for the service, once in each span of the
// clock, or holds it. Either way proved is renewed: while the service is held, nothing
// is judged past that instant, and its release then stands for the proof. The caller
// holds mu, and has just read the clock.
func (s *service) prove(real judge.Instant) {
	before, span := s.proved.Load(), s.clock.Span()
	if before == span {
		return
	}
	if !s.isHeld() && !s.nothingUnread() {
		s.hold(before.End(), real)
		s.clock.Follow()
	}
	s.proved.Store(span) // last, for readers without mu
}

// nothingUnread reports whether one look shows that all is read that the processes sent.
// The caller holds mu.
func (s *service) nothingUnread() bool {
	for _, sl := range s.slots {
		if sl.session != nil && !sl.session.nothingUnread() {
			return false
		}
	}
	return true
}

// nothingUnread reports whether one look shows that all is read that the process sent,
// and has reached the registry. The caller holds service.mu.
func (s *Session) nothingUnread() bool {
	if s.allHandled == nil || s.undated || !s.link.CaughtUp() || s.link.HasEnded() {
		return false
	}
	return s.allHandled(s.reports) // after the socket was seen empty
}

// maxQuietServices is the number of services with sessions up to which the clock may be
// quiet. The reports of more wake landmarkd so often that beats add little, and each
// service would look at its sockets in each new span of the clock.
const maxQuietServices = 16

// QuietUntil implements clock.Follower: before that instant no service's answer changes
// by silence, and there is time for one more report of each process, as after a pause.
func (r *Registry) QuietUntil() judge.Instant {
	until, reported := judge.Instant(judge.Never), 0
	for _, s := range *r.services.Load() {
		quiet := judge.Instant(s.quietUntil.Load())
		if quiet == judge.Never {
			continue // it has no session
		}
		if reported++; reported > maxQuietServices {
			return 0
		}
		until = min(until, quiet)
	}
	return until
}

// setQuietUntil sets until when the clock may be quiet as far as the service goes, whose
// snapshot holds until next. The caller holds mu.
func (s *service) setQuietUntil(next judge.Instant) {
	until := judge.Instant(judge.Never)
	for _, sl := range s.slots {
		switch {
		case sl.session == nil:
		case sl.session.undated || sl.session.allHandled == nil:
			until = 0
		case next != judge.Never:
			until = min(until, next.Add(-(sl.session.interval + 2*clock.MaxGap)))
		}
	}
	s.quietUntil.Store(int64(until))
	s.clock.EndQuiet(until)
}

// catchUp checks the sockets of the service's sessions, and releases it if they have
// caught up. It reports whether the service is not held any more.
func (s *service) catchUp(real judge.Instant) (caughtUp bool) {
	s.update(func() bool {
		for _, sl := range s.slots {
			if sl.session != nil {
				sl.session.check()
			}
		}
		released := s.release(real)
		caughtUp = !s.isHeld()
		return released
	})
	return caughtUp
}

// catchUpWith releases the service, which is held, if it waited only for the report of the
// session that it has just taken. So a request that comes together with a report waits no
// longer than until that is read.
func (s *service) catchUpWith(from *Session) {
	_, real := s.clock.Read()
	s.update(func() bool {
		from.look()
		return s.release(real)
	})
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
		allRead = allRead && sl.session.emptyChecks >= clock.EmptyChecks
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

// check counts a check that finds everything read that the process sent during the pause.
// The caller holds service.mu.
func (s *Session) check() {
	if s.emptyChecks < clock.EmptyChecks && s.link.CaughtUp() {
		s.emptyChecks++
	}
}

// look counts all checks as made if nothing is unread. The caller holds service.mu.
func (s *Session) look() {
	if s.nothingUnread() {
		s.emptyChecks = clock.EmptyChecks
	}
}
