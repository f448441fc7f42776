package agent

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/rule"
	"github.com/landmark-health/landmark/internal/servicemanager"
)

// managed is set while an agent of this process reports to the service manager. With
// two, one could keep a program alive that hangs by the landmarks of the other.
var managed atomic.Bool

// acquireServiceManager reserves the service manager for an agent. It returns an error if
// another agent reports to it.
func acquireServiceManager() error {
	if managed.Swap(true) {
		return errors.New("another agent of this process reports to the service manager already; put all landmarks into one set")
	}
	return nil
}

// releaseServiceManager makes the service manager available again.
func releaseServiceManager() { managed.Store(false) }

// statusGap is the minimum time between two statuses.
const statusGap = time.Second

// A managerReport reports to the service manager that the program has started, that it is
// alive, and otherwise why not. It reports only what the latest samples show: it has no
// timer of its own. It belongs to the reporter's goroutine. A nil managerReport does
// nothing.
type managerReport struct {
	send     func(lines ...string) error
	interval time.Duration // between two WATCHDOG=1, 0 = none is expected
	logger   *slog.Logger

	judged

	ready     bool      // READY=1 was sent
	aliveAt   time.Time // when WATCHDOG=1 was last sent
	shown     problem   // by the latest status
	shownAt   time.Time
	errLogged bool // that the latest notification could not be sent
}

// newManagerReport returns the report to the service manager that started this process,
// nil if none did.
func newManagerReport(logger *slog.Logger) *managerReport {
	notifier, err := servicemanager.FromEnvironment()
	watchdog, watchdogErr := servicemanager.WatchdogTimeout()
	switch err := errors.Join(err, watchdogErr); {
	case err != nil:
		logger.Error("cannot report to the service manager", "err", err)
		return nil
	case notifier == nil:
		return nil
	}
	m := &managerReport{send: notifier.TrySend, logger: logger, judged: judged{origin: time.Now()}}
	if watchdog > 0 {
		m.interval = max(watchdog/2, minStepGap)
	}
	return m
}

// step sends what the samples of the time now are worth. It returns when WATCHDOG=1 is
// due, the zero time if it is not.
func (m *managerReport) step(states []landmarkState, now time.Time) (next time.Time) {
	if m == nil {
		return time.Time{}
	}
	at := m.update(states, now)
	started, unreached := rule.Started(m.landmarks)
	started = started || m.ready // a later declaration does not undo it
	p := m.problem(started, unreached, at)
	// A program that has not started has a problem: it is expected only after READY=1.
	expected := m.interval > 0 && p == problem{}

	var lines []string
	ready := started && !m.ready
	if ready {
		lines = append(lines, servicemanager.Ready)
	}
	alive := expected && now.Sub(m.aliveAt) >= m.interval
	if alive {
		lines = append(lines, servicemanager.Watchdog)
	}
	status := m.statusDue(p, now) || ready && p != m.shown
	if status {
		lines = append(lines, servicemanager.Status(p.reason(at)))
	}
	if len(lines) > 0 {
		if !m.sent(lines) {
			return time.Time{} // the next step tries again
		}
		m.ready = started
		if alive {
			m.aliveAt = now
		}
		if status {
			m.shown, m.shownAt = p, now
			if p.kind == noProof {
				m.logger.Error("the service manager will end this program", "reason", p.reason(at))
			}
		}
	}
	if !expected {
		return time.Time{}
	}
	return m.aliveAt.Add(m.interval)
}

// stopping sends that the program is about to end.
func (m *managerReport) stopping() {
	if m != nil {
		m.sent([]string{servicemanager.Stopping, servicemanager.Status("")})
	}
}

// sent sends a notification, and logs the first of several errors in a row.
func (m *managerReport) sent(lines []string) bool {
	err := m.send(lines...)
	if err != nil && !m.errLogged {
		m.logger.Warn("the service manager is not notified; retrying", "err", err)
	}
	m.errLogged = err != nil
	return err == nil
}

// A problem is why the program has not started, or is not alive. The zero problem is
// none.
type problem struct {
	kind     problemKind
	landmark *rule.Landmark // nil if the problem is that there is none
}

type problemKind uint8

const (
	failing   problemKind = iota + 1 // a critical landmark fails
	unreached                        // a landmark that counts for readiness was not reached
	noProof                          // no landmark proves that the program is alive
)

// problem returns the first problem at the instant. If the program has not started, it
// waits for notReached.
func (m *managerReport) problem(started bool, notReached *rule.Landmark, at rule.Instant) problem {
	proof, waitsFor := false, (*rule.Landmark)(nil)
	for i := range m.landmarks {
		l := &m.landmarks[i]
		if !l.AffectsLiveness() {
			continue
		}
		// The other kinds are also healthy while the program does nothing at all, and these
		// two until they are first reached.
		if l.Kind == rule.KindAlive || l.Kind == rule.KindLoop {
			if proof = proof || l.Reached; !l.Reached {
				waitsFor = l
			}
		}
		if l.Evaluate(at).State == rule.Failing {
			return problem{failing, l}
		}
	}
	switch {
	case !started:
		return problem{unreached, notReached}
	case m.interval > 0 && !proof && waitsFor != nil:
		return problem{unreached, waitsFor}
	case m.interval > 0 && !proof:
		return problem{kind: noProof}
	}
	return problem{}
}

// reason explains the problem at the instant to a person.
func (p problem) reason(at rule.Instant) string {
	switch {
	case p.kind == failing:
		return p.landmark.FailureReason(at)
	case p.kind == unreached && p.landmark != nil:
		return p.landmark.UnreachedReason(at)
	case p.kind == unreached:
		return "the program has declared no landmark that counts for readiness"
	case p.kind == noProof:
		return "nothing proves that the program is alive; declare an Alive or a Loop that is critical, or remove WatchdogSec="
	}
	return ""
}

// statusDue reports whether to send a status. While a problem lasts, it is repeated with
// each WATCHDOG=1 that is not sent, because its reason has an age.
func (m *managerReport) statusDue(p problem, now time.Time) bool {
	since := now.Sub(m.shownAt)
	if p != m.shown {
		return since >= statusGap
	}
	return p.landmark != nil && m.interval > 0 && since >= max(m.interval, statusGap)
}
