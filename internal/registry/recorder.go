package registry

import (
	"github.com/landmark-health/landmark/internal/judge"
)

// Recorder records what happens to services, for the journal and the log.
type Recorder interface {
	// Service returns what records the service of this name.
	Service(name string) ServiceRecorder
}

// ServiceRecorder records what happens to one service. Its methods are called with locks
// held: they must not block or call the registry.
type ServiceRecorder interface {
	// Changed records a change of a status or cause at the instant. The service belongs to
	// the user.
	Changed(c Change, uid uint32, at judge.Instant)
	// Published records the facts by which the service is judged from now on.
	Published(p Publication)
	// Ended records that the session of an instance has ended.
	Ended(instance string, how SessionEnd, at judge.Instant)
	// Gone records that the service is not known any more.
	Gone(at judge.Instant)
}

// SessionEnd is how a session has ended.
type SessionEnd uint8

// The ends of a session.
const (
	EndGoodbye  SessionEnd = iota // the process said goodbye
	EndLost                       // its connection ended without one
	EndReplaced                   // the registry ended it
)

// Publication is the facts by which a service is judged, when they were replaced.
type Publication struct {
	Now     judge.Instant
	Owner   uint32 // of the service, or NoOwner
	Policy  *Policy
	History judge.History // of the judge, before Facts are judged
	Before  judge.Service // the facts until Now
	Facts   judge.Service // the facts from now on
	after   *snapshot
	slots   []*slot
}

// Verdicts returns what the facts were judged to be.
func (p *Publication) Verdicts() (verdicts [judge.Aspects]judge.Verdict) {
	if p.after != nil {
		for a, r := range p.after.verdicts {
			verdicts[a] = r.Verdict
		}
	}
	return verdicts
}

// Declaration returns what the program of instance i of Facts declares, without the
// policy's overrides, and nil if that is not known.
func (p *Publication) Declaration(i int) []judge.Declared {
	if i >= len(p.slots) {
		return nil
	}
	return p.slots[i].declaration
}

// SetRecorder has the recorder record all that happens from now on. It must be called before
// there are services.
func (r *Registry) SetRecorder(recorder Recorder) { r.recorder = recorder }

// Reevaluate evaluates the service again, which also publishes its facts again. It does
// nothing if the service is not known.
func (r *Registry) Reevaluate(name string) {
	if s := r.service(name); s != nil {
		s.update(func() bool { return true })
	}
}

// noRecorder is the recorder of a registry that has none.
type noRecorder struct{}

func (noRecorder) Service(string) ServiceRecorder { return noRecorder{} }

func (noRecorder) Changed(Change, uint32, judge.Instant)   {}
func (noRecorder) Published(Publication)                   {}
func (noRecorder) Ended(string, SessionEnd, judge.Instant) {}
func (noRecorder) Gone(judge.Instant)                      {}

// recordGone records that the service is not known any more, and nothing after that: its
// timer may fire once more.
func (s *service) recordGone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recorder.Gone(s.judgedNow())
	s.recorder = noRecorder{}
}

// recordEnd records the end of the slot's session. The caller holds mu.
func (s *service) recordEnd(sl *slot, how SessionEnd) {
	s.recorder.Ended(sl.instance.Name, how, s.judgedNow())
}
