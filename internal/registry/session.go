package registry

import (
	"errors"
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// Errors that a session's agent is to be told. They come wrapped with what is
// wrong and what to do.
var (
	ErrNotOwner = errors.New("service belongs to another user")
	ErrReplaced = errors.New("a newer session took the instance's place")
	ErrLimit    = errors.New("too many")
)

// Link is how the registry reaches the process of a session. Its methods are
// called with locks held: they must not block, nor call the registry.
type Link interface {
	// GetState puts the get-state command of the given number to the
	// process's main loops. A newer number supersedes an older one.
	GetState(number uint64)
	// End ends the session, for the reason err.
	End(err error)
	// CaughtUp reports whether nothing that the process has sent is unread.
	CaughtUp() bool
}

// AgentID is who a session is with.
type AgentID struct {
	Service  string // as contract.CheckServiceName has it
	Instance string // tells the service's processes apart
	UID      uint32 // of the process
}

// Fact is what is reported of one landmark, as the schema's message of that
// name has it; ages are as of the report.
type Fact struct {
	Reached    bool
	Age        time.Duration
	Count      uint64
	Open       bool
	Pending    uint64
	Lag        time.Duration
	Value      float64
	Met        bool
	Unreadable bool // of a host's landmark: it could not be read, for the reason Why
	Reason     string
}

// Session is one process that reports.
type Session struct {
	registry    *Registry
	id          AgentID
	link        Link
	declaration []judge.Declared // by the program
	draining    bool             // the process wants no new work
	number      uint64           // in the order of opening
	taken       int              // that it has taken
	arrived     func()           // called once it has reported, or is gone
	service     *service         // nil until the first report

	// Guarded by service.mu, but that Declare takes declared away: it is called
	// by the goroutine that reports.
	applied     []*judge.Declared // what is stated as policy has it, nil if that is to be made
	policy      *Policy
	interval    time.Duration // between reports of what is stated
	latest      judge.Instant // when the latest report was made
	emptyChecks int           // that found nothing unread since a pause of the sidecar
	lastCommand uint64        // number of the last get-state command
	ended       error         // why the registry ended it, nil if it did not
}

// Open begins a session. The process appears in the service with its first
// report. The error wraps ErrNotOwner or ErrLimit.
func (r *Registry) Open(p AgentID, link Link) (*Session, error) {
	if err := r.authorize(p); err != nil {
		return nil, err
	}
	if err := r.quota.take(p.UID, 1); err != nil {
		return nil, err
	}
	return &Session{registry: r, id: p, link: link, number: r.sessions.Add(1), taken: 1, arrived: r.ExpectReport(p.UID)}, nil
}

// Declare states which landmarks the reports that follow are of. The error
// wraps ErrLimit.
func (s *Session) Declare(landmarks []judge.Declared) error {
	more := len(landmarks) - len(s.declaration)
	if err := s.registry.quota.take(s.id.UID, more); err != nil {
		return err
	}
	s.taken += more
	s.declaration, s.applied = landmarks, nil
	return nil
}

// Drain states whether the process wants no new work, as of the reports that
// follow.
func (s *Session) Drain(wanted bool) { s.draining = wanted }

// Undated is the instant of a report that does not say when it was made.
const Undated = judge.Never

// Report is ReportAt for a report that does not say when it was made.
func (s *Session) Report(facts []Fact, answered uint64) error {
	return s.ReportAt(facts, answered, Undated)
}

// ReportAt takes the facts as of the instant at, one for each declared landmark
// in that order. answered is the number of the latest get-state command that
// every loop of the process has answered. The error wraps ErrNotOwner,
// ErrReplaced or ErrLimit.
func (s *Session) ReportAt(facts []Fact, answered uint64, at judge.Instant) error {
	if len(facts) != len(s.declaration) {
		panic(fmt.Sprintf("registry: %d facts for %d declared landmarks", len(facts), len(s.declaration)))
	}
	for {
		err := s.reportOnce(facts, answered, at)
		if err != errGone {
			return err
		}
		s.service = nil // its name was given back before this, its first report
	}
}

func (s *Session) reportOnce(facts []Fact, answered uint64, at judge.Instant) error {
	if s.service == nil {
		service, err := s.registry.claim(s.id)
		if err != nil {
			return err
		}
		s.service = service
	}
	err := s.service.report(s, facts, answered, at)
	if err == nil {
		s.arrived()
	}
	return err
}

// landmarks makes of the facts the landmarks as the policy has them. The
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

// landmark is the landmark that the fact is of, the report being made now.
func (f *Fact) landmark(declared *judge.Declared, now judge.Instant) judge.Landmark {
	return judge.Landmark{
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
		Reason:     f.Reason,
	}
}

// endWith ends the session for the reason err. The caller holds service.mu.
func (s *Session) endWith(err error) {
	s.ended = err
	s.link.End(err)
}

// Goodbye ends the session of a process that stops of its own will.
func (s *Session) Goodbye() { s.end(judge.SaidGoodbye) }

// Disconnect ends the session of a process whose connection ended without a
// goodbye, or that the registry ended. After Goodbye it does nothing.
func (s *Session) Disconnect() { s.end(judge.Vacant) }

// endSession gives back what the session has taken, and leaves its place.
func (s *Session) end(how judge.Presence) {
	s.arrived()
	s.registry.quota.give(s.id.UID, s.taken)
	s.taken = 0
	if s.service != nil {
		s.service.leave(s, how)
	}
}
