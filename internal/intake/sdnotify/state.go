package sdnotify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/sdnotify"
)

// state is what the process has said.
type state struct {
	ready     bool
	reloading bool
	stopping  bool
	drain     bool
	text      string // STATUS
	errno     int
	timeout   *time.Duration // WATCHDOG_USEC, nil if it did not say
	extended  judge.Instant  // EXTEND_TIMEOUT_USEC: until when
	readyMark *landmark
	watchdog  *landmark
	own       []*landmark // by X_LANDMARK_DECLARE, in their order
	unwritten bool        // the file has nothing of it yet
}

func newState(at judge.Instant) state {
	return state{readyMark: readyLandmark(at), watchdog: watchdogLandmark(at), unwritten: true}
}

// find returns the landmark of the process's own with the name, or nil.
func (s *state) find(name string) *landmark {
	for _, l := range s.own {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// affectsReadiness reports whether the process declares a landmark that counts for
// readiness.
func (s *state) affectsReadiness() bool {
	return slices.ContainsFunc(s.own, (*landmark).AffectsReadiness)
}

// watchdogTimeout returns the watchdog's timeout, 0 if there is none: that of the
// process, else the configured one.
func (s *state) watchdogTimeout(configured time.Duration) time.Duration {
	if s.timeout != nil && *s.timeout > 0 {
		return *s.timeout
	}
	return configured
}

// landmarks returns those that count now. A process that stops does not turn any loop
// any more, so that no Alive can fail then; the service manager limits how long it may
// take.
func (s *state) landmarks(configured time.Duration) (all []*landmark) {
	if s.find(sdnotify.ReadyName) == nil && (s.ready || !s.affectsReadiness()) {
		all = append(all, s.readyMark)
	}
	timeout := s.watchdogTimeout(configured)
	if s.watchdog.Triggered && timeout == 0 {
		timeout = contract.MaxDuration // it fails in any case
	}
	if timeout > 0 && s.find(sdnotify.WatchdogName) == nil && (!s.stopping || s.watchdog.Triggered) {
		if within := watchdogWithin(timeout); s.watchdog.Within != within {
			declared := *s.watchdog.Declared
			declared.Within = within
			s.watchdog.Declared = &declared
		}
		all = append(all, s.watchdog)
	}
	for _, l := range s.own {
		if l.Kind != judge.KindAlive || !s.stopping || l.Triggered {
			all = append(all, l)
		}
	}
	return all
}

// statusText returns what the process says of itself.
func (s *state) statusText() string {
	var parts []string
	if s.reloading {
		parts = append(parts, "reloading")
	}
	if s.text != "" {
		parts = append(parts, s.text)
	}
	text := strings.Join(parts, ": ")
	if s.errno != 0 {
		text = strings.TrimPrefix(fmt.Sprintf("%s (errno %d: %v)", text, s.errno, syscall.Errno(s.errno)), " ")
	}
	return text
}

// errTooMany is returned for a declaration beyond the limits.
var errTooMany = fmt.Errorf("a process may declare %d landmarks by datagrams, and all processes %d: report more with an agent", maxLandmarks, maxAllLandmarks)

// take takes what a notification says, sent at the instant. The process may have at most
// so many landmarks of its own. It reports whether what was said must be reported at once,
// and the first mistake in it.
func (s *state) take(m *sdnotify.Message, at judge.Instant, configured time.Duration, landmarks int) (urgent bool, err error) {
	if s.stopping && len(m.Declarations) > 0 {
		*s, urgent = newState(at), true // it goes on, as a new program
	}
	for _, d := range m.Declarations {
		l := s.find(d.Name)
		if l == nil {
			if len(s.own) >= landmarks {
				err = errTooMany
				continue
			}
			l = new(landmark)
			s.own = append(s.own, l)
		}
		if l.Declared == nil || *l.Declared != d {
			l.Declare(d, at)
			urgent = true
		}
	}
	if m.WatchdogTimeout != nil && (s.timeout == nil || *s.timeout != *m.WatchdogTimeout) {
		s.timeout, urgent = m.WatchdogTimeout, true
		if s.ready && *s.timeout > 0 { // as at the start: from now on the time counts
			s.watchdogMark().Reach(at)
		}
	}
	switch {
	case m.Ready:
		urgent = s.takeReady(at) || urgent
	case m.Reloading:
		urgent, s.reloading = urgent || !s.reloading, true
	}
	if m.Stopping {
		urgent, s.stopping = urgent || !s.stopping, true
	}
	if m.Trigger {
		mark := s.watchdogMark()
		urgent = urgent || !mark.Triggered
		mark.Triggered, mark.Reason, mark.unwritten = true, "the program reports that it hangs", true
	}
	if m.Watchdog {
		// Also without a timeout, which a reload of the configuration may give.
		first := !s.watchdogMark().Reached
		reached := s.reach(s.watchdogMark(), at)
		if s.watchdogTimeout(configured) == 0 && s.find(sdnotify.WatchdogName) == nil {
			urgent, err = first || urgent, errNoTimeout
		} else {
			urgent = reached || urgent
		}
	}
	if m.Drain != nil {
		urgent, s.drain = urgent || s.drain != *m.Drain, *m.Drain
	}
	if m.ExtendTimeout > 0 && !s.ready {
		s.extended, urgent = max(s.extended, at.Add(m.ExtendTimeout)), true
	}
	if m.Status != nil {
		urgent, s.text = urgent || s.text != *m.Status, *m.Status
	}
	if m.Errno != nil {
		urgent, s.errno = urgent || s.errno != *m.Errno, *m.Errno
	}
	for _, f := range m.Facts {
		changed, wrong := s.takeFact(f, at)
		urgent = urgent || changed
		if wrong != nil && err == nil {
			err = wrong
		}
	}
	return urgent, err
}

var errNoTimeout = errors.New("WATCHDOG=1 has no effect without a timeout: set watchdog: of the service in landmarkd's configuration, or send WATCHDOG_USEC=")

// takeReady takes READY=1. It ends a reload, too, and the time within which the
// watchdog must be fed begins with it. It does not end a stop: some programs repeat it
// with each status. It reports whether it must be reported at once.
func (s *state) takeReady(at judge.Instant) (urgent bool) {
	mark := s.readyMark
	if own := s.find(sdnotify.ReadyName); own != nil && own.Kind == judge.KindCondition {
		mark = own
	}
	urgent = !s.ready || s.reloading || !mark.Reached || !mark.Met
	mark.Reach(at)
	mark.Met = true
	if watchdog := s.watchdogMark(); !s.ready && !watchdog.Reached {
		watchdog.Reach(at)
	}
	s.ready, s.reloading = true, false
	return urgent
}

// watchdogMark returns the landmark that WATCHDOG=1 reaches.
func (s *state) watchdogMark() *landmark {
	if own := s.find(sdnotify.WatchdogName); own != nil && own.Kind == judge.KindAlive {
		return own
	}
	return s.watchdog
}

// reach reaches an Alive, and reports whether that must be reported at once.
func (s *state) reach(l *landmark, at judge.Instant) (urgent bool) {
	before := *l
	l.Reach(at)
	return l.ends(&before)
}

// takeFact takes a fact of a landmark, and reports whether it must be reported at once.
func (s *state) takeFact(f sdnotify.Fact, at judge.Instant) (urgent bool, err error) {
	l := s.find(f.Name)
	if l == nil {
		return false, fmt.Errorf("the landmark %q is not declared: send X_LANDMARK_DECLARE= first", f.Name)
	}
	before := *l
	if !l.Take(f, at) {
		return false, fmt.Errorf("the landmark %q is of another kind than the key says", f.Name)
	}
	older := l.Open && before.At.Sub(l.At) > minGap // than was known, apart from what a clock is read late
	return l.ends(&before) || l.Met != before.Met || l.Reason != before.Reason || l.Value != before.Value || l.Open != before.Open || older, nil
}
