package sdnotify

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/pidfd"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sdnotify"
	"github.com/landmark-health/landmark/internal/socket"
)

const (
	// minGap is the shortest time between two reports of a process, after reportBurst of
	// them at once.
	minGap      = 5 * time.Millisecond
	reportBurst = 20
)

// process is a main process that a service has.
type process struct {
	server   *Server
	service  string
	pid      int
	start    uint64 // when it started, in ticks since boot
	uid      uint32 // of the one who spoke for it first
	instance string
	logger   *slog.Logger
	session  *registry.Session
	exit     *pidfd.Watch
	number   uint64       // in the order of the sessions
	speaker  atomic.Int64 // the process that has spoken for this one last, 0 if none has

	lastSent atomic.Int64 // sentAt, for readers without mu

	mu    sync.Mutex
	ended bool
	// exitedAt is when it was first seen to have exited; zero until then.
	exitedAt time.Time
	state    state
	timer    *time.Timer // calls tick

	declared   []*landmark      // those in the session's declaration
	last       []judge.Declared // the session's declaration
	facts      []registry.Fact  // reused
	reportedAt judge.Instant    // the instant of the last report
	sentAt     judge.Instant    // when the last notification was sent
	due        judge.Instant    // when tick is called
	mayReport  judge.Instant    // when reportBurst reports may be made at once again
	unwritten  bool             // it has said what is not in the file yet
	frozen     bool             // it was stopped when it was last looked at
	unreadable bool             // its state cannot be read, which was logged
	counted    int              // landmarks of its own that the server has counted
	mistakes   map[string]bool  // those in its notifications, at most maxMistakes
}

// maxMistakes is how many different mistakes of a process are reported.
const maxMistakes = 8

// receive takes a notification about the process, sent at the instant by the given
// sender. It returns a mistake in it, each once.
func (p *process) receive(m *sdnotify.Message, at judge.Instant, from sender) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil
	}
	p.sentAt = max(p.sentAt, at)
	p.lastSent.Store(int64(p.sentAt))
	urgent, err := p.state.take(m, at, p.server.watchdogOf(p.service), p.mayDeclare())
	p.countLandmarks()
	p.requestReport(urgent, at, from)
	if err == nil {
		err = m.Problem
	}
	if err == nil || p.mistakes[err.Error()] || len(p.mistakes) >= maxMistakes {
		return nil
	}
	if p.mistakes == nil {
		p.mistakes = make(map[string]bool)
	}
	p.mistakes[err.Error()] = true
	return err
}

// mayDeclare returns how many landmarks of its own the process may have. The caller holds
// mu.
func (p *process) mayDeclare() int {
	left := maxAllLandmarks - p.server.landmarks.Total()
	if !socket.Privileged(p.uid) {
		left = min(left, maxLandmarksPerUser-p.server.landmarks.Of(p.uid))
	}
	return min(maxLandmarks, p.counted+max(0, left))
}

// countLandmarks counts the landmarks that the process has. The caller holds mu.
func (p *process) countLandmarks() {
	if n := len(p.state.own); n != p.counted {
		p.server.landmarks.Add(p.uid, n-p.counted)
		p.counted = n
	}
}

// requestReport has what was said reported: at once, if it is urgent and there is not too
// much of it, else with the next report. The caller holds mu.
func (p *process) requestReport(urgent bool, at judge.Instant, from sender) {
	if !urgent && p.declared != nil {
		return
	}
	p.unwritten = true
	now := p.server.now()
	p.mayReport = max(p.mayReport, now)
	if wait := p.mayReport.Sub(now) - reportBurst*minGap; wait > 0 && p.declared != nil {
		p.hasten(wait)
		return
	}
	if taken, _ := p.server.limiter.take(from, reportUnits, time.Now()); !taken && p.declared != nil {
		p.hasten(contract.MinReportInterval)
		return
	}
	p.mayReport = p.mayReport.Add(minGap)
	p.report(at)
}

// tick reports that the process still exists, unless it is stopped.
func (p *process) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	at := p.server.now() // before the look: that is how old its result is
	stat, err := p.server.readStat(p.pid)
	switch {
	case err != nil && p.exit.HasExited():
		return // exited is about to be called
	case err != nil:
		// Not knowing whether it is stopped, landmarkd cannot say that it is not.
		if !p.unreadable {
			p.unreadable = true
			p.logger.Error("the state of the process cannot be read, so the service becomes stale; let landmarkd read /proc (no hidepid=, or with its gid=)", "why", err)
		}
		p.schedule(contract.MaxReportInterval)
	case stat.exited():
		return // as above
	case stat.stopped():
		if !p.frozen {
			p.frozen = true
			if p.sentAt > p.reportedAt { // what it sent before it was stopped
				if p.report(p.sentAt); p.ended {
					return
				}
			}
		}
		p.schedule(p.updateStates(at)) // its landmarks fail meanwhile, which the file must have
	default:
		p.frozen, p.unreadable = false, false
		p.report(at)
	}
}

// interval returns the time between two reports.
func (p *process) interval() time.Duration {
	return contract.ReportInterval(p.declared, func(l *landmark) time.Duration { return max(l.Within, l.TTL) })
}

// schedule has tick called. The caller holds mu.
func (p *process) schedule(after time.Duration) {
	p.due = p.server.now().Add(after)
	p.timer.Reset(after)
}

// hasten has tick called no later than that. The caller holds mu.
func (p *process) hasten(after time.Duration) {
	if p.server.now().Add(after) < p.due {
		p.schedule(after)
	}
}

// report reports the facts as of the instant, and schedules the next report. The
// caller holds mu.
func (p *process) report(at judge.Instant) {
	at = max(at, p.reportedAt)
	p.reportedAt = at
	p.write()
	if err := p.tryReport(at); err != nil {
		p.refuse(err)
		return
	}
	p.schedule(p.updateStates(at))
}

func (p *process) tryReport(at judge.Instant) error {
	landmarks := p.state.landmarks(p.server.watchdogOf(p.service))
	if !p.isDeclared(landmarks) {
		declarations := make([]judge.Declared, len(landmarks))
		for i, l := range landmarks {
			declarations[i] = *l.Declared
		}
		if err := p.session.Declare(declarations); err != nil {
			return err
		}
		p.declared, p.facts = landmarks, make([]registry.Fact, len(landmarks))
		p.last = declarations
	}
	for i, l := range landmarks {
		p.facts[i] = l.fact(at)
		if l == p.state.readyMark && !l.Reached {
			p.facts[i].Extended = max(0, p.state.extended.Sub(at))
		}
	}
	p.session.Drain(p.state.drain || p.state.stopping)
	p.session.SetStatusText(p.state.statusText())
	return p.session.ReportAt(p.facts, 0, at)
}

// isDeclared reports whether the landmarks are those of the session's declaration.
func (p *process) isDeclared(landmarks []*landmark) bool {
	return p.declared != nil && slices.Equal(landmarks, p.declared) &&
		slices.EqualFunc(landmarks, p.last, func(l *landmark, d judge.Declared) bool { return *l.Declared == d })
}

// updateStates stores the state of each landmark, and writes to the file if one has
// changed, so that the next landmarkd begins with what is true now. It returns the time
// until the next report.
func (p *process) updateStates(at judge.Instant) time.Duration {
	next := p.interval()
	effective := p.session.Effective()
	for i, l := range p.declared {
		state, until := l.stateAt(effective[i], at)
		if state != l.state {
			l.state = state
			l.unwritten, p.unwritten = true, true
		}
		if until != judge.Never {
			next = min(next, max(minGap, until.Sub(at)))
		}
	}
	p.write()
	return next
}

// refuse ends the session of a process that the registry refuses. The process stays
// known, so that its next datagram does not begin a new session, unless it was refused
// because there are too many. The caller holds mu.
func (p *process) refuse(err error) {
	p.logger.Warn("program refused", "why", err)
	p.writeLeft()
	p.end(p.session.Disconnect)
	if errors.Is(err, registry.ErrLimit) {
		p.server.remove(p)
	}
}

// replace makes the process begin with what the one before it had said, and reports it.
// The one before is not a main process any more, which the file has by the same line: a
// landmarkd that is killed meanwhile leaves the next one not both.
func (p *process) replace(before *process) {
	p.server.replacing.Lock() // two processes may name each other
	defer p.server.replacing.Unlock()
	before.mu.Lock()
	defer before.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		before.leave()
		return
	}
	p.state = before.state
	p.countLandmarks()
	saved := p.head()
	saved.Whole, saved.Own = true, p.own(true)
	if !before.ended {
		saved.Replaces = before.pid
	}
	p.append(&saved)
	p.report(p.server.now())
	before.end(before.session.Goodbye)
}

// leave ends the session of a process that is not a main process any more. The caller
// holds mu.
func (p *process) leave() {
	if !p.ended {
		p.writeLeft()
	}
	p.end(p.session.Goodbye)
}

// displace ends the session of a process to make room for another user's.
func (p *process) displace() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.logger.Warn("program refused", "why", "its user has the most processes that report by notifications, and there is no room for others: raise LimitNOFILE= in landmarkd's unit")
		p.writeLeft()
		p.end(p.session.Disconnect)
	}
	p.server.remove(p)
}

// stop ends all work for the process, and reports nothing to the registry.
func (p *process) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
	p.exit.Stop()
}

// exited ends the session of a process that has exited.
func (p *process) exited() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
	case p.state.stopping:
		p.end(p.session.Goodbye)
		p.logger.Info("program said goodbye")
	default:
		p.end(p.session.Disconnect)
		p.logger.Warn("program lost", "why", "the process ended without STOPPING=1")
	}
}

// end ends the session. The caller holds mu.
func (p *process) end(how func()) {
	if p.ended {
		return
	}
	p.ended = true
	p.timer.Stop()
	how()
	p.state.own = nil
	p.countLandmarks()
	p.server.config.Registry.Clock().RemoveSource()
	p.server.changed()
}

// link implements registry.Link. Its methods are called with the registry's locks held.
type link struct{ process *process }

// GetState implements registry.Link. No process that sends notifications has a Loop.
func (l link) GetState(uint64) {}

// End implements registry.Link.
func (l link) End(err error) {
	go func() {
		l.process.mu.Lock()
		defer l.process.mu.Unlock()
		if !l.process.ended {
			l.process.refuse(err)
		}
	}()
}

// CaughtUp implements registry.Link.
func (l link) CaughtUp() bool { return l.process.server.caughtUp() }

// HasEnded implements registry.Link. What the process said last may still come from its
// parent.
func (l link) HasEnded() bool {
	exit := l.process.exit
	if exit == nil { // it ended before this landmarkd began
		return true
	}
	// In this order: that the server stops ends the watches.
	return exit.HasExited() && !l.process.server.stopping.Load()
}
