package registry

import (
	"errors"
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/judge"
)

// Errors that end a session. They are returned wrapped with what is wrong and what
// to do.
var (
	ErrNotOwner = errors.New("service belongs to another user")
	ErrReplaced = errors.New("a newer session took the instance's place")
	ErrLimit    = errors.New("too many")
)

// MaxReportedPerUser is the number of sessions and declared landmarks together that
// one user may have, which bounds what the user can make the sidecar keep and judge.
const MaxReportedPerUser = 65_536

// Undated is the instant of a report that does not say when it was made.
const Undated = judge.Never

// Link is the way from the registry to the process of a session. Its methods are
// called with locks held: they must not block or call the registry.
type Link interface {
	// GetState sends the get-state command of this number to the process's main
	// loops. A greater number supersedes a smaller one.
	GetState(number uint64)
	// End ends the session for the reason err.
	End(err error)
	// CaughtUp reports whether everything that the process has sent is read.
	CaughtUp() bool
	// HasEnded reports whether the process has exited or closed its connection, also if
	// that is not handled yet, and what it sent before is not read.
	HasEnded() bool
}

// AgentID says who reports.
type AgentID struct {
	Service  string // valid as contract.CheckServiceName says
	Instance string // unique among the processes of the service
	UID      uint32 // of the process
}

// Fact is what is reported of one landmark, as in the schema's message Fact. Ages
// are those at the time of the report.
type Fact struct {
	Reached    bool
	Age        time.Duration
	Count      uint64
	Open       bool
	Pending    uint64
	Lag        time.Duration
	Value      float64
	Met        bool
	Unreadable bool          // of a host's landmark: it could not be read, for the Reason
	Triggered  bool          // the program has reported that it hangs
	Extended   time.Duration // how much longer it may stay unreached at least
	Reason     string
}

// Session is one process that reports.
type Session struct {
	registry      *Registry
	id            AgentID
	link          Link
	declaration   []judge.Declared // by the program
	draining      bool             // the process wants no new work
	notifies      bool             // the process sends notifications
	process       evidence.Process // that reports
	statusText    string           // what the process says of itself
	number        uint64           // in the order of opening
	taken         int              // of the user's quota
	stopExpecting func()           // a report of the process; called once it has reported, or is gone
	service       *service         // nil until the first report

	// Guarded by service.mu, except that Declare clears applied: Declare is called by
	// the goroutine that reports.
	applied     []*judge.Declared // the declaration under policy, nil if it must be made
	policy      *Policy
	interval    time.Duration // between two reports of such a declaration
	latest      judge.Instant // when the latest report was made
	undated     bool          // that report did not say when it was made
	reports     uint64        // how many were taken
	emptyChecks int           // since a pause of the sidecar, that found everything read
	lastCommand uint64        // number of the last get-state command
	episode     episode       // of its work that fails
	ended       error         // why the registry ended it, nil if it did not
	superseded  bool          // its process had ended when another took a slot; its reports do not count

	// allHandled reports whether all is handled that was read of what the process sent, if
	// that are so many reports; nil if the intake does not know.
	allHandled func(reports uint64) bool

	refused bool // its first report was
	over    bool // Goodbye or Disconnect was called
}

// Open begins a session. The process appears in the service with its first report.
// The error wraps ErrNotOwner or ErrLimit.
func (r *Registry) Open(id AgentID, link Link) (s *Session, err error) {
	defer func() { r.sessions.countOpening(err) }()
	if err := r.authorize(id); err != nil {
		return nil, err
	}
	s = &Session{registry: r, id: id, link: link, number: r.sessions.numbers.Add(1)}
	if err := s.take(1); err != nil {
		return nil, err
	}
	s.stopExpecting = r.ExpectReport(id.UID)
	return s, nil
}

// Declare sets the landmarks of the reports that follow. The error wraps ErrLimit.
func (s *Session) Declare(landmarks []judge.Declared) error {
	if err := s.take(len(landmarks) - len(s.declaration)); err != nil {
		return err
	}
	s.declaration, s.applied = landmarks, nil
	return nil
}

// take takes n from the quota of the session's user.
func (s *Session) take(n int) error {
	if !s.registry.reported.Take(s.id.UID, n, MaxReportedPerUser) {
		return fmt.Errorf("%w sessions and landmarks: uid %d may have %d in all", ErrLimit, s.id.UID, MaxReportedPerUser)
	}
	s.taken += n
	return nil
}

// Drain says whether the process wants no new work, for the reports that follow.
func (s *Session) Drain(wanted bool) { s.draining = wanted }

// SetNotifies says that the process sends notifications and holds no connection, for the
// reports that follow.
func (s *Session) SetNotifies() { s.notifies = true }

// SetAllHandled sets the function that reports whether all that was read from the process's
// socket is handled, if the registry has taken so many reports. It is called with locks
// held. Set it before the first report.
func (s *Session) SetAllHandled(allHandled func(reports uint64) bool) { s.allHandled = allHandled }

// SetStatusText sets what the process says of itself to people, for the reports that
// follow.
func (s *Session) SetStatusText(text string) { s.statusText = text }

// Report is ReportAt for a report that does not say when it was made. Only tests call it.
func (s *Session) Report(facts []Fact, answered uint64) error {
	return s.ReportAt(facts, answered, Undated)
}

// ReportAt takes the facts as of the instant at, one for each declared landmark in
// that order. answered is the number of the latest get-state command that every
// loop of the process has answered. The error wraps ErrNotOwner, ErrReplaced or
// ErrLimit.
func (s *Session) ReportAt(facts []Fact, answered uint64, at judge.Instant) error {
	if len(facts) != len(s.declaration) {
		panic(fmt.Sprintf("registry: %d facts for %d declared landmarks", len(facts), len(s.declaration)))
	}
	for {
		err := s.reportOnce(facts, answered, at)
		if err != errGone {
			return err
		}
		s.service = nil // it was retired before this, the first report: claim it again
	}
}

func (s *Session) reportOnce(facts []Fact, answered uint64, at judge.Instant) error {
	if s.service == nil {
		service, err := s.registry.claim(s.id)
		if err != nil {
			s.refused = err != errGone
			s.registry.sessions.countRefusal(err)
			return err
		}
		s.service = service
	}
	err := s.service.report(s, facts, answered, at)
	if err == nil {
		s.stopExpecting()
	}
	return err
}

// madeAt returns when a report was made that arrives now: at the instant that it
// says, or else now. A report without a date that is read while the service is
// held may have waited for the whole pause. The caller holds service.mu.
func (s *Session) madeAt(at, judged, real judge.Instant) judge.Instant {
	switch {
	case at != Undated:
		return min(at, real)
	case judged == real || s.emptyChecks >= clock.EmptyChecks && s.service.isHeld():
		return real
	}
	return judged
}

// landmarks returns the landmarks that the facts are of, under the policy. The
// caller holds service.mu.
func (s *Session) landmarks(policy *Policy, facts []Fact, now judge.Instant) []judge.Landmark {
	if s.applied == nil || s.policy != policy {
		s.policy, s.applied = policy, policy.applyAll(s.declaration)
		s.interval = reportInterval(s.declaration)
	}
	landmarks := make([]judge.Landmark, len(facts))
	for i, f := range facts {
		landmarks[i] = f.landmark(s.applied[i], now)
	}
	return landmarks
}

// Effective returns the declaration with the overrides of the policy by which the latest
// report was judged. It must not be called before the first report.
func (s *Session) Effective() []*judge.Declared {
	s.service.mu.Lock()
	defer s.service.mu.Unlock()
	return s.applied
}

// landmark returns the landmark that the fact is of, reported at now.
func (f *Fact) landmark(declared *judge.Declared, now judge.Instant) judge.Landmark {
	l := judge.Landmark{
		Declared:   declared,
		Reached:    f.Reached,
		At:         now.Add(-f.Age),
		Count:      f.Count,
		Open:       f.Open,
		Pending:    f.Pending,
		Lag:        f.Lag,
		Value:      f.Value,
		Met:        f.Met,
		Unreadable: f.Unreadable,
		Triggered:  f.Triggered,
		Reason:     f.Reason,
	}
	if f.Extended > 0 {
		l.ExtendedTo = now.Add(f.Extended)
	}
	return l
}

// Goodbye ends the session of a process that stops on purpose.
func (s *Session) Goodbye() { s.end(judge.SaidGoodbye) }

// Disconnect ends the session of a process whose connection ended without a
// goodbye, or that the registry ended. After Goodbye it does nothing.
func (s *Session) Disconnect() { s.end(judge.Vacant) }

func (s *Session) end(how judge.Presence) {
	if !s.over {
		s.over = true
		s.registry.sessions.countEnd(how, s.endedByRegistry())
	}
	s.stopExpecting()
	s.registry.reported.Add(s.id.UID, -s.taken)
	s.taken = 0
	if s.service != nil {
		s.service.leave(s, how)
	}
}

// endWith ends the session for the reason err. The caller holds service.mu.
func (s *Session) endWith(err error) {
	s.ended = err
	s.link.End(err)
}
