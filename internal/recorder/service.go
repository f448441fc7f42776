package recorder

import (
	"slices"
	"sync"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// service records one service. Its methods are called with the registry's lock of the
// service held, except for checked.
type service struct {
	recorder *Recorder
	name     string
	resuming bool    // lines are written again since the present facts
	logged   *logged // nil before the first change

	mu         sync.Mutex // guards what follows, up to the next empty line
	owner      uint32
	overBudget bool   // the owner's services have written too much
	checks     series // that were written

	// What the journal has.
	epoch     uint64
	period    uint64
	from      judge.Instant // of the period
	policy    *registry.Policy
	flags     flags
	nextID    uint64
	processes []*process // of the facts before
	host      *host      // nil if nothing is read of it
}

// flags are the facts about a service as a whole.
type flags struct{ drained, stopping, incomplete bool }

// Published implements registry.ServiceRecorder.
func (s *service) Published(p registry.Publication) {
	if s.recorder.journal == nil {
		return
	}
	if s.setOwner(p.Owner); !s.resume(p.Now) {
		return
	}
	defer func() { s.resuming = false }()
	full := false
	if epoch := s.recorder.journal.Epoch(); epoch != s.epoch {
		s.epoch, full = epoch, true
	}
	// If something has become late and ends with the new facts, it needs a line of its own:
	// the line of the new facts does not show it.
	late := s.advance(p.Now)
	if late && s.ends(&p) {
		s.writeFacts(&p, p.Before, false)
	}
	changed := s.take(&p) || late
	if period := s.recorder.period.Load(); period != s.period {
		changed = s.endPeriod(p.Now) || changed
		s.period = period
	}
	if full || p.Policy != s.policy {
		s.policy = p.Policy
		s.write(journal.Line{Type: journal.TypePolicy, At: p.Now, Policy: journal.PolicyOf(p.Policy)})
		changed = true
	}
	if now := (flags{p.Facts.Drained, p.Facts.Stopping, p.Facts.Incomplete}); now != s.flags {
		if now.drained != s.flags.drained {
			s.write(journal.Line{Type: journal.TypeDrain, At: p.Now, Drain: &journal.Drain{Drained: now.drained}})
		}
		s.flags, changed = now, true
	}
	if full || changed {
		s.writeFacts(&p, p.Facts, full)
	}
}

// Ended implements registry.ServiceRecorder.
func (s *service) Ended(instance string, how registry.SessionEnd, at judge.Instant) {
	event := journal.SessionLost
	switch how {
	case registry.EndGoodbye:
		event = journal.SessionGoodbye
	case registry.EndReplaced:
		event = journal.SessionReplaced
	}
	s.write(journal.Line{Type: journal.TypeSession, At: at, Session: &journal.Session{Instance: instance, Event: event}})
}

// Gone implements registry.ServiceRecorder.
func (s *service) Gone(at judge.Instant) {
	s.write(journal.Line{Type: journal.TypeGone, At: at})
	s.recorder.remove(s)
}

func (s *service) setOwner(uid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owner = uid
}

// write writes a line about the service, if there is a journal. If its owner's services have
// written too much it writes that lines are left out, and no more until resume.
func (s *service) write(l journal.Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeLocked(l)
}

// writeLocked is write for a caller that holds mu.
func (s *service) writeLocked(l journal.Line) {
	if s.recorder.journal == nil || s.overBudget {
		return
	}
	l.Service = s.name
	if !s.recorder.budgets.take(s.owner, l.Size(), 0, l.At) {
		s.overBudget = true
		l = journal.Line{Type: journal.TypeGap, At: l.At, Service: s.name}
	}
	if l.Verdict != nil && s.owner != registry.NoOwner {
		l.Owner = new(s.owner)
	}
	s.recorder.journal.Write(l)
}

// resume reports whether lines may be written, if need be again. Then the next one is a
// full one.
func (s *service) resume(now judge.Instant) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.overBudget:
		return true
	case !s.recorder.budgets.take(s.owner, 0, resumeAt, now):
		return false
	}
	s.overBudget, s.checks = false, series{}
	s.resuming, s.epoch = true, noEpoch
	s.processes, s.host = nil, nil // what was noted of them is out of date
	return true
}

// advance records how old everything has become by now, and reports whether something has
// become late.
func (s *service) advance(now judge.Instant) (late bool) {
	for _, p := range s.processes {
		late = p.advance(now) || late
	}
	return s.host != nil && s.host.advance(now) || late
}

// ends reports whether something that is late is renewed or gone with the new facts.
func (s *service) ends(p *registry.Publication) bool {
	for i, old := range s.processes {
		if !old.isLate() {
			continue
		}
		at := i
		if at >= len(p.Facts.Instances) || !old.is(p.Facts.Instances[at]) {
			at = slices.IndexFunc(p.Facts.Instances, old.is)
		}
		if at < 0 || old.lateEnds(p.Facts.Instances[at]) {
			return true
		}
	}
	return s.host != nil && s.host.lateEnds(&p.Facts.Host)
}

// find returns the process that is the instance now, nil if it is new, and takes it out of
// those that are left.
func find(left *[]*process, in *judge.Instance) *process {
	i := slices.IndexFunc(*left, func(p *process) bool { return p.is(in) })
	if i < 0 {
		return nil
	}
	p := (*left)[i]
	*left = slices.Delete(*left, i, i+1)
	return p
}

// take takes the new facts, and reports whether a line must say so.
func (s *service) take(p *registry.Publication) (changed bool) {
	same := len(p.Facts.Instances) == len(s.processes)
	for i, in := range p.Facts.Instances {
		same = same && s.processes[i].is(in)
	}
	if !same {
		changed = true
		left, processes := slices.Clone(s.processes), make([]*process, len(p.Facts.Instances))
		for i, in := range p.Facts.Instances {
			if processes[i] = find(&left, in); processes[i] == nil {
				s.nextID++
				processes[i] = &process{id: s.nextID, name: in.Name, presence: in.Presence, since: in.Since}
				if !s.resuming {
					s.begin(in, p.Now)
				}
			}
		}
		s.processes = processes
	}
	for i, in := range p.Facts.Instances {
		changed = s.processes[i].take(in, p.Declaration(i), p.Policy, p.Now) || changed
	}
	return s.takeHost(p) || changed
}

// begin records that a process reports, or is awaited.
func (s *service) begin(in *judge.Instance, now judge.Instant) {
	var event string
	switch in.Presence {
	case judge.Connected:
		event = journal.SessionBegan
	case judge.Awaited:
		event = journal.SessionAwaited
	default:
		return
	}
	s.write(journal.Line{Type: journal.TypeSession, At: now, Session: &journal.Session{Instance: in.Name, Event: event}})
}

func (s *service) takeHost(p *registry.Publication) (changed bool) {
	facts := &p.Facts.Host
	if len(facts.Landmarks) == 0 {
		changed = s.host != nil
		s.host = nil
		return changed
	}
	if s.host == nil {
		s.host = new(host)
	}
	return s.host.take(facts, p.Policy, p.Now)
}

// endPeriod writes the longest ages since the last period, and reports whether facts must
// be written because levels change.
func (s *service) endPeriod(now judge.Instant) (changed bool) {
	ages := &journal.Ages{From: s.from}
	add := func(a *age, id uint64, landmark string) {
		longest, c := a.endPeriod()
		changed = changed || c
		if longest > 0 {
			ages.Longest = append(ages.Longest, journal.Longest{ID: id, Landmark: landmark, Age: longest})
		}
	}
	for _, p := range s.processes {
		add(&p.reports, p.id, "")
		for i := range p.landmarks {
			add(&p.landmarks[i].age, p.id, p.landmarks[i].written.Name)
		}
	}
	if s.host != nil {
		add(&s.host.reads, 0, "")
		for i := range s.host.landmarks {
			add(&s.host.landmarks[i].age, 0, s.host.landmarks[i].written.Name)
		}
	}
	s.from = now
	if len(ages.Longest) > 0 {
		s.write(journal.Line{Type: journal.TypeAges, At: now, Ages: ages})
	}
	return changed
}

// writeFacts writes the facts. Of processes that have not changed it writes only the ID,
// unless full is set.
func (s *service) writeFacts(p *registry.Publication, facts judge.Service, full bool) {
	f := &journal.Facts{Full: full, Drained: facts.Drained, Stopping: facts.Stopping, Incomplete: facts.Incomplete}
	for _, pr := range s.processes {
		f.Instances = append(f.Instances, pr.line(full))
	}
	if s.host != nil {
		f.Host = s.host.line()
	}
	if full {
		f.History = journal.HistoryOf(p.History)
		f.Judged = judgedOf(p.Verdicts())
	}
	s.write(journal.Line{Type: journal.TypeFacts, At: p.Now, Facts: f})
}

func judgedOf(verdicts [judge.Aspects]judge.Verdict) *journal.Judged {
	verdict := func(a judge.Aspect) journal.Verdict {
		v := verdicts[a]
		return journal.Verdict{Status: journal.Status(v.Status), Cause: journal.Cause(v.Cause), Weight: v.Weight}
	}
	return &journal.Judged{Readiness: verdict(judge.Readiness), Liveness: verdict(judge.Liveness), Startup: verdict(judge.Startup)}
}
