package registry

import (
	"context"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// This file is what the registry does after a pause of the sidecar's own. What a
// process said meanwhile lies in its socket. Until it was read, the silence of
// that process counts for nothing, and its service stands at the instant at
// which the pause began. That is so for each service by itself: a process that
// sends more than is read of it makes only its own service wait.

const (
	// The shortest and longest time between two reports of an agent
	// (docs/architecture.md, "The path of a landmark").
	minReportInterval = 25 * time.Millisecond
	maxReportInterval = 500 * time.Millisecond
)

// reportInterval returns how often an agent reports such landmarks.
func reportInterval(landmarks []judge.Declared) time.Duration {
	interval := maxReportInterval
	for _, l := range landmarks {
		if limit := max(l.Within, l.TTL); limit > 0 {
			interval = min(interval, limit/4)
		}
	}
	return max(interval, minReportInterval)
}

// pause puts every service that has processes behind, as of the instant at which
// the sidecar's pause began.
func (r *Registry) Pause(began, ended judge.Instant) {
	if r == nil {
		return
	}
	for _, s := range *r.services.Load() {
		s.pause(began, ended)
	}
}

// catchUp lets those services go on whose processes have nothing unread any
// more, and reports whether any is left behind.
func (r *Registry) CatchUp(real judge.Instant) (behind bool) {
	if r == nil {
		return false
	}
	for _, s := range *r.services.Load() {
		if s.behind() && !s.catchUp(real) {
			behind = true
		}
	}
	return behind
}

// awaitCatchUp waits until everything was heard of what the name is about, or
// returns ctx's error. It is woken by the beat that makes it so, for on a
// starved machine that may not last for long.
func (r *Registry) awaitCatchUp(ctx context.Context, name []byte) error {
	for {
		beat := r.clock.NextBeat()
		if _, settled := r.fromMemory(name); settled {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-beat:
		}
	}
}

// readClock returns the instant up to which everything was heard of the service, and
// the real one. The clock is read first: it goes on after a pause only once the
// services are behind.
func (s *service) readClock() (heard, real judge.Instant) {
	heard, real = s.clock.Read()
	return min(heard, s.heldInstant()), real
}

// judgedNow returns the instant by which the service is judged.
func (s *service) judgedNow() judge.Instant {
	heard, _ := s.readClock()
	return heard
}

// heldInstant returns the instant at which the service stands, judge.Never if it
// does not.
func (s *service) heldInstant() judge.Instant { return judge.Instant(s.heldAt.Load()) }

func (s *service) behind() bool { return s.heldInstant() != judge.Never }

// pause puts the service behind, if it has processes. One that is behind
// already stays where it is, so that pauses which follow each other do not hide
// a frozen process for ever.
func (s *service) pause(began, ended judge.Instant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.behind() {
		return
	}
	for _, p := range s.slots {
		if p.session != nil {
			p.session.emptyChecks = 0
			s.resumed = ended
			s.heldAt.Store(int64(began))
		}
	}
}

// catchUp lets the service go on if its processes have caught up, or have not
// for clock.MaxBehind, and reports whether it does.
func (s *service) catchUp(real judge.Instant) bool {
	s.mu.Lock()
	if real.Sub(s.resumed) <= clock.MaxBehind && !s.caughtUp(real) {
		s.mu.Unlock()
		return false
	}
	s.heldAt.Store(int64(judge.Never))
	news := s.publish()
	s.mu.Unlock()
	if news {
		s.changed(s)
	}
	return true
}

// caughtUp reports whether all that the processes sent during the pause has been
// read, and each has reported as lately as it should. A process that could not
// send, or was stopped together with the sidecar, is given the time to report
// again, unless nothing would come of its silence until then. The caller holds
// mu.
func (s *service) caughtUp(real judge.Instant) bool {
	empty, silent := true, time.Duration(0)
	for _, p := range s.slots {
		if p.session == nil {
			continue
		}
		empty = p.session.caughtUp() && empty
		if in := p.session.interval + clock.MaxGap; p.session.latest < s.resumed.Add(-in) {
			silent = max(silent, in)
		}
	}
	if !empty || silent == 0 {
		return empty
	}
	shot := s.current.Load()
	return shot.sameCauses(shot.at(real.Add(silent)))
}

// caughtUp reports whether everything was read that the process sent during the
// pause. The caller holds service.mu.
func (s *Session) caughtUp() bool {
	if s.emptyChecks < clock.EmptyChecks && s.link.CaughtUp() {
		s.emptyChecks++
	}
	return s.emptyChecks >= clock.EmptyChecks
}

// madeAt returns when a report was made that arrives now: at the instant that it
// says itself, if it does, else now. But one without a date that was read
// while the service is behind may have waited for all of the pause. The caller
// holds service.mu.
func (s *Session) madeAt(at, heard, real judge.Instant) judge.Instant {
	switch {
	case at != Undated:
		return min(at, real)
	case heard == real || s.emptyChecks >= clock.EmptyChecks && s.service.behind():
		return real
	}
	return heard
}
