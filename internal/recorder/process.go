package recorder

import (
	"slices"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// process is one process as the journal has it. A process that comes back after it was
// lost is another one.
type process struct {
	id       uint64
	name     string
	presence judge.Presence
	since    judge.Instant

	reports   age
	landmarks []landmark
	taken     *judge.Instance // the last facts
	written   state
	changed   bool // since the last line
}

// state is what is written of a process besides its landmarks.
type state struct {
	started, draining, newcomer, notifies bool
	order, relief                         uint64
}

// is reports whether the instance is this process, which stays started once it has.
func (p *process) is(in *judge.Instance) bool {
	return p.name == in.Name && p.presence == in.Presence && p.since == in.Since && (in.Started || !p.written.started)
}

func (p *process) advance(now judge.Instant) (late bool) {
	late = p.reports.advance(now)
	for i := range p.landmarks {
		late = p.landmarks[i].age.advance(now) || late
	}
	p.changed = p.changed || late
	return late
}

func (p *process) isLate() bool {
	return p.reports.late || slices.ContainsFunc(p.landmarks, func(l landmark) bool { return l.age.late })
}

// lateEnds reports whether the new facts renew something that is late.
func (p *process) lateEnds(in *judge.Instance) bool {
	if in == p.taken {
		return false
	}
	if p.reports.late && in.ReportedAt != p.reports.at || len(in.Landmarks) != len(p.landmarks) {
		return true
	}
	for i := range p.landmarks {
		if l := &p.landmarks[i]; l.age.late && l.renews(&in.Landmarks[i]) {
			return true
		}
	}
	return false
}

// take takes new facts, and reports whether a line must say so. declaration is what the
// program declares, nil if that is not known.
func (p *process) take(in *judge.Instance, declaration []judge.Declared, policy *registry.Policy, now judge.Instant) bool {
	if in == p.taken {
		return p.changed
	}
	first := p.taken == nil
	p.taken = in
	if first || p.reports.limit != policy.StaleAfter {
		p.reports = resetAge(p.reports, policy.StaleAfter, now)
		p.changed = true
	}
	if connected := in.Presence == judge.Connected; in.ReportedAt != p.reports.at || connected != p.reports.running {
		p.changed = p.reports.renew(connected, in.ReportedAt, now) || p.changed
	}
	if s := (state{in.Started, in.Draining, in.Newcomer, in.Notifies, in.Seq, in.ReliefSeq}); s != p.written {
		p.written, p.changed = s, true
	}
	if !sameDeclared(p.landmarks, in.Landmarks) {
		p.landmarks, p.changed = newLandmarks(p.landmarks, in.Landmarks, declaration, now), true
	}
	for i := range in.Landmarks {
		p.changed = p.landmarks[i].take(&in.Landmarks[i], now) || p.changed
	}
	return p.changed
}

// line returns what a line of facts says of the process.
func (p *process) line(full bool) journal.Instance {
	if !p.changed && !full && !p.outdated() {
		return journal.Instance{ID: p.id}
	}
	p.changed = false
	j := &journal.Process{
		Name: p.name, Presence: journal.Presence(p.presence), Since: p.since,
		Started: p.written.started, Draining: p.written.draining, Newcomer: p.written.newcomer, Notifies: p.written.notifies,
		Order: p.written.order, Relief: p.written.relief,
		Reports:   p.reports.line(),
		Landmarks: linesOf(p.landmarks),
	}
	return journal.Instance{ID: p.id, Process: j}
}

// outdated reports whether the last line says less of an age than the next one would.
func (p *process) outdated() bool {
	return p.reports.outdated() || slices.ContainsFunc(p.landmarks, func(l landmark) bool { return l.age.outdated() })
}
