package replay

import (
	"maps"
	"slices"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/probe"
)

// track judges a service under the policy, and keeps what it finds.
type track struct {
	service     *service
	outcome     *Outcome
	machine     machine
	began       judge.Instant // of judging
	worst       bool          // what may have been older than its limit was
	unknownAges []unknownAge

	// The processes and the host as the judge takes them. They are made again when their
	// line changes.
	instances map[uint64]*judge.Instance
	lines     map[uint64]*journal.Process // of the instances
	newcomers map[uint64]bool
	hostLine  *journal.Host
	host      judge.Host

	check  *probe.Check // nil if the recorded results of the active check hold
	series probe.Series
}

func (s *service) newTrack(o *Outcome, worst bool) *track {
	t := &track{service: s, outcome: o, worst: worst}
	if worst {
		for _, u := range s.player.unknownAges[s.result.Name] {
			if u.run == s.player.run.number {
				t.unknownAges = append(t.unknownAges, u)
			}
		}
	}
	t.machine.changed = func(at judge.Instant, states [judge.Aspects]state) {
		o.set(&s.player.run, at, states[judge.Readiness])
		if changed := s.player.config.changed; changed != nil && !worst {
			changed(s.result.Name, s.player.run.number, at, states)
		}
	}
	return t
}

// begin begins to judge with what the judge remembered before the instant.
func (t *track) begin(h judge.History, at judge.Instant) {
	t.forget()
	t.instances, t.newcomers = make(map[uint64]*judge.Instance), make(map[uint64]bool)
	t.began = at
	t.machine.history, t.machine.next = h, judge.Never
	t.machine.states = [judge.Aspects]state{}
}

// forget forgets from which lines the instances and the host were made, so that they are
// made again, for another policy.
func (t *track) forget() { t.lines, t.hostLine = make(map[uint64]*journal.Process), nil }

func (t *track) end(at judge.Instant) { t.outcome.end(t.service.player.run.number, at) }

func (t *track) advance(to judge.Instant) { t.machine.advance(to) }

// set judges the facts of the service at the instant.
func (t *track) set(at judge.Instant) {
	t.machine.advance(at)
	t.machine.policy = t.service.policy().Policy
	t.machine.set(t.facts(at), at)
}

// facts returns the facts of the service as the judge takes them.
func (t *track) facts(at judge.Instant) judge.Service {
	f := t.service.facts
	facts := judge.Service{Drained: f.Drained, Stopping: f.Stopping, Incomplete: f.Incomplete}
	for _, in := range f.Instances {
		facts.Instances = append(facts.Instances, t.agedInstance(in.ID, t.instance(in.ID), at))
	}
	maps.DeleteFunc(t.instances, func(id uint64, _ *judge.Instance) bool { return t.service.processes[id] == nil })
	if f.Host != nil {
		t.takeHost()
		facts.Host = t.agedHost(t.host, at)
	}
	return facts
}

// instance returns the process as the judge takes it.
func (t *track) instance(id uint64) *judge.Instance {
	line := t.service.processes[id]
	before := t.instances[id]
	if before != nil && t.lines[id] == line {
		return before
	}
	in := instanceOf(line, t.service.policy())
	// Which landmarks must be reached until a process has started depends on the policy.
	switch {
	case t.service.given == nil:
	case before != nil:
		in.Started = before.Started || in.HasStarted()
		if explicit := !line.Newcomer && !line.Started; explicit {
			t.newcomers[id] = false // it took the slot of another one
		}
		in.Newcomer = t.newcomers[id] && !in.Started
	default:
		joined := line.Since >= t.began // since judging began, and not before
		in.Started = in.HasStarted() || line.Started && !joined
		beside := line.Newcomer || joined && line.Started && line.Order > 0
		in.Newcomer = beside && !in.Started
	}
	t.newcomers[id] = in.Newcomer
	t.lines[id], t.instances[id] = line, in
	return in
}

// renew takes that the part was last renewed at another instant than the last line said.
func (t *track) renew(p part, age journal.Age, open bool) {
	landmarks := func(all []judge.Landmark) []judge.Landmark {
		all = slices.Clone(all)
		for i := range all {
			if l := &all[i]; l.Name == p.landmark {
				l.At, l.Open = instantOf(age), open
			}
		}
		return all
	}
	switch {
	case p.id == 0:
		t.takeHost()
		if p.landmark == "" {
			t.host.ReadAt = instantOf(age)
		} else {
			t.host.Landmarks = landmarks(t.host.Landmarks)
		}
	default:
		in := *t.instance(p.id)
		if p.landmark == "" {
			in.ReportedAt = instantOf(age)
		} else {
			in.Landmarks = landmarks(in.Landmarks)
		}
		t.instances[p.id] = &in
	}
}

// takeHost takes the host of the present facts, if that was not done yet.
func (t *track) takeHost() {
	if line := t.service.facts.Host; line != t.hostLine {
		t.hostLine = line
		t.host = hostOf(line, t.service.policy(), t.service.given == nil)
		t.applyCheck()
	}
}

// bounds returns the instants, from the first and before the second, at which the times of
// unknown ages begin or end. At each the service must be judged.
func (t *track) bounds(from, to judge.Instant) (bounds []event) {
	for _, u := range t.unknownAges {
		for _, at := range []judge.Instant{u.from, u.to} {
			if from <= at && at < to {
				bounds = append(bounds, event{at, func(*track) {}})
			}
		}
	}
	return bounds
}

// mayBeTooOld reports whether the part may be older than its limit at the instant.
func (t *track) mayBeTooOld(p part, at judge.Instant) bool {
	return slices.ContainsFunc(t.unknownAges, func(u unknownAge) bool { return u.part == p && u.from <= at && at < u.to })
}

// agedInstance returns the instance with what may be too old being so.
func (t *track) agedInstance(id uint64, in *judge.Instance, at judge.Instant) *judge.Instance {
	if len(t.unknownAges) == 0 {
		return in
	}
	n := *in
	if t.mayBeTooOld(part{id, ""}, at) {
		n.ReportedAt = tooOld
	}
	n.Landmarks = t.agedLandmarks(id, in.Landmarks, at)
	return &n
}

func (t *track) agedHost(h judge.Host, at judge.Instant) judge.Host {
	if len(t.unknownAges) == 0 {
		return h
	}
	if t.mayBeTooOld(part{0, ""}, at) {
		h.ReadAt = tooOld
	}
	h.Landmarks = t.agedLandmarks(0, h.Landmarks, at)
	return h
}

func (t *track) agedLandmarks(id uint64, landmarks []judge.Landmark, at judge.Instant) []judge.Landmark {
	landmarks = slices.Clone(landmarks)
	for i := range landmarks {
		if l := &landmarks[i]; t.mayBeTooOld(part{id, l.Name}, at) {
			l.At, l.Open = tooOld, true
		}
	}
	return landmarks
}
