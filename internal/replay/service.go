package replay

import (
	"cmp"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// service is one service while it is played.
type service struct {
	player   *player
	result   *ServiceResult
	given    *registry.Policy // nil = the recorded ones
	recorded *registry.Policy // nil until it is known
	tracks   []*track

	// facts are those of the last line, with all processes; nil while they are not known.
	facts      *journal.Facts
	processes  map[uint64]*journal.Process
	at         judge.Instant          // of the last line of facts
	nextPolicy *journal.Policy        // of a line since; nil if there was none
	checks     []event                // since
	from       judge.Instant          // of the period of ages
	hangs      map[part]judge.Instant // since when
	hangLimits map[part]time.Duration // what the stricter policy allows
}

// part is what can become old: a landmark of an instance or, if that is 0, of the host; or,
// if it has no name, the reports or the readings.
type part struct {
	id       uint64
	landmark string
}

// unknownAge is a time in which something may have been older than its limit, and in which the
// journal does not say when.
type unknownAge struct {
	run int
	part
	from, to judge.Instant
}

// policy returns the policy to judge by.
func (s *service) policy() *registry.Policy {
	switch {
	case s.given != nil:
		return s.given
	case s.recorded != nil:
		return s.recorded
	}
	return &registry.DefaultPolicy
}

// takePolicy puts the policy of the last line of policy into effect. It is called at the
// line of facts that follows, which is of the same instant.
func (s *service) takePolicy() {
	if s.nextPolicy == nil {
		return
	}
	s.recorded = s.nextPolicy.Registry()
	s.compareProbe(s.nextPolicy)
	s.nextPolicy = nil
	for _, t := range s.tracks {
		t.forget()
	}
}

// setFacts plays what was until now, and takes the facts from now on.
func (s *service) setFacts(f *journal.Facts, at judge.Instant) {
	if s.facts == nil && !f.Full {
		return // it rests on lines that are lost
	}
	processes, known := s.processesOf(f)
	if !known {
		s.end(at)
		return
	}
	begins := s.facts == nil
	if !begins {
		s.playTo(at, s.renewals(f, processes, at))
	}
	s.facts, s.processes, s.at = f, processes, at
	s.takePolicy()
	if begins {
		s.begin(f, at)
	}
	s.noteHangs(at)
	s.noteUnjudged()
	for _, t := range s.tracks {
		t.set(at)
	}
	if f.Full && f.Judged != nil {
		s.setRecorded(f.Judged.Verdicts(), at)
	}
}

// processesOf returns the processes of the line, and whether all are known.
func (s *service) processesOf(f *journal.Facts) (processes map[uint64]*journal.Process, known bool) {
	processes = make(map[uint64]*journal.Process, len(f.Instances))
	for _, in := range f.Instances {
		p := in.Process
		if p == nil && !f.Full {
			p = s.processes[in.ID]
		}
		if p == nil {
			return nil, false
		}
		processes[in.ID] = p
	}
	return processes, true
}

// begin begins to judge the service with a full line.
func (s *service) begin(f *journal.Facts, at judge.Instant) {
	s.from = at
	s.hangs = make(map[part]judge.Instant)
	for _, t := range s.tracks {
		t.begin(f.History.Judge(), at)
	}
}

// end ends judging the service, until its next full line.
func (s *service) end(at judge.Instant) {
	if s.facts == nil {
		return
	}
	at = max(at, s.at)
	s.noteUnknownAtEnd(at)
	s.playTo(at, nil)
	s.facts, s.processes = nil, nil
	s.noteHangs(at)
	for _, t := range s.tracks {
		t.end(at)
	}
	s.result.Recorded.end(s.player.run.number, at)
}

// setRecorded takes recorded verdicts, if the facts are known: else there would be nothing to
// compare them with.
func (s *service) setRecorded(verdicts [judge.Aspects]journal.Verdict, at judge.Instant) {
	if s.facts == nil {
		return
	}
	v := verdicts[judge.Readiness]
	s.result.Recorded.set(&s.player.run, at, state{judge.Status(v.Status), judge.Cause(v.Cause)})
}

// renewals returns what the line of facts, which is from the instant, says about the time
// before it.
func (s *service) renewals(f *journal.Facts, processes map[uint64]*journal.Process, at judge.Instant) (all []event) {
	add := func(p part, before, after journal.Age, open bool) {
		if after.Late && after.Known < at && (!before.Late || before.At != after.At) {
			all = append(all, event{max(after.Known, s.at), func(t *track) { t.renew(p, after, open) }})
		}
	}
	landmarks := func(id uint64, before, after []journal.Landmark) {
		for i := range min(len(before), len(after)) {
			if before[i].Name == after[i].Name {
				add(part{id, after[i].Name}, before[i].Age, after[i].Age, after[i].Open)
			}
		}
	}
	for id, p := range processes {
		if before := s.processes[id]; before != nil && before != p {
			add(part{id, ""}, before.Reports, p.Reports, false)
			landmarks(id, before.Landmarks, p.Landmarks)
		}
	}
	if s.facts.Host != nil && f.Host != nil {
		add(part{0, ""}, s.facts.Host.Reads, f.Host.Reads, false)
		landmarks(0, s.facts.Host.Landmarks, f.Host.Landmarks)
	}
	return all
}

// event is something that happened between two lines of facts.
type event struct {
	at    judge.Instant
	apply func(t *track)
}

// playTo judges until the instant, with what happened until then.
func (s *service) playTo(to judge.Instant, events []event) {
	events = append(events, s.checks...)
	s.checks = nil
	for _, t := range s.tracks {
		all := append(t.bounds(s.at, to), events...)
		slices.SortStableFunc(all, func(a, b event) int { return cmp.Compare(a.at, b.at) })
		for i, e := range all {
			e.apply(t)
			if i+1 == len(all) || all[i+1].at > e.at {
				t.set(e.at)
			}
		}
		t.advance(to)
	}
}

// addAges notes where something may have been older than its limit.
func (s *service) addAges(a *journal.Ages, at judge.Instant) {
	if s.facts == nil || s.player.second {
		return
	}
	for _, l := range a.Longest {
		if limit := s.limit(part{l.ID, l.Landmark}); limit > 0 && l.Age > limit {
			s.noteUnknownAge(part{l.ID, l.Landmark}, max(a.From, s.from), at)
		}
	}
	s.from = at
}

func (s *service) noteUnknownAge(p part, from, to judge.Instant) {
	name := s.result.Name
	s.player.unknownAges[name] = append(s.player.unknownAges[name], unknownAge{s.player.run.number, p, from, to})
}

// noteUnknownAtEnd notes where something may have been older than its limit because the journal
// ends without a line of ages.
func (s *service) noteUnknownAtEnd(at judge.Instant) {
	if s.player.second {
		return
	}
	s.eachAge(func(p part, a journal.Age, limit time.Duration) {
		if limit > 0 && limit < a.Floor && at.Sub(s.from) > limit {
			s.noteUnknownAge(p, s.from, at)
		}
	})
}

// eachAge calls f with each age of the present facts that counts for readiness, and its limit
// under the policy to judge by.
func (s *service) eachAge(f func(p part, a journal.Age, limit time.Duration)) {
	policy := s.policy()
	landmarks := func(id uint64, all []journal.Landmark) {
		for i := range all {
			l := judge.Landmark{Declared: s.declared(id, &all[i]), Reached: all[i].Reached}
			if l.Declared != nil && l.AffectsReadiness() {
				f(part{id, all[i].Name}, all[i].Age, l.AgeLimit())
			}
		}
	}
	for id, p := range s.processes {
		if judge.Presence(p.Presence) == judge.Connected {
			f(part{id, ""}, p.Reports, policy.StaleAfter)
			landmarks(id, p.Landmarks)
		}
	}
	if h := s.facts.Host; h != nil {
		f(part{0, ""}, h.Reads, policy.StaleAfter)
		landmarks(0, h.Landmarks)
	}
}

// limit returns how old the part may become under the policy to judge by, 0 if it may
// become any age.
func (s *service) limit(wanted part) (found time.Duration) {
	s.eachAge(func(p part, _ journal.Age, limit time.Duration) {
		if p == wanted {
			found = limit
		}
	})
	return found
}

// declared returns what is declared of a landmark of the instance, or of the host if id is
// 0, under the policy to judge by; nil if that has no such landmark.
func (s *service) declared(id uint64, l *journal.Landmark) *judge.Declared {
	switch {
	case id != 0:
		return declaredOf(l, s.policy())
	case s.given == nil:
		return declaredOf(l, nil)
	default:
		return hostDeclared(declaredOf(l, nil), s.given)
	}
}
