package recorder

import (
	"math"
	"slices"
	"time"

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

func (p *process) pass(now judge.Instant) (late bool) {
	late = p.reports.pass(now)
	for i := range p.landmarks {
		late = p.landmarks[i].age.pass(now) || late
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

// host is what is read of the host, as the journal has it.
type host struct {
	reads     age
	landmarks []landmark
	known     bool
}

func (h *host) pass(now judge.Instant) (late bool) {
	late = h.reads.pass(now)
	for i := range h.landmarks {
		late = h.landmarks[i].age.pass(now) || late
	}
	return late
}

func (h *host) lateEnds(facts *judge.Host) bool {
	if h.reads.late && facts.ReadAt != h.reads.at || len(facts.Landmarks) != len(h.landmarks) {
		return true
	}
	for i := range h.landmarks {
		if l := &h.landmarks[i]; l.age.late && l.renews(&facts.Landmarks[i]) {
			return true
		}
	}
	return false
}

func (h *host) take(facts *judge.Host, policy *registry.Policy, now judge.Instant) (changed bool) {
	if !h.known || h.reads.limit != policy.StaleAfter {
		h.reads = resetAge(h.reads, policy.StaleAfter, now)
		h.known, changed = true, true
	}
	if facts.ReadAt != h.reads.at || !h.reads.running {
		changed = h.reads.renew(true, facts.ReadAt, now) || changed
	}
	if !sameDeclared(h.landmarks, facts.Landmarks) {
		h.landmarks, changed = newLandmarks(h.landmarks, facts.Landmarks, nil, now), true
	}
	for i := range facts.Landmarks {
		changed = h.landmarks[i].take(&facts.Landmarks[i], now) || changed
	}
	return changed
}

func (h *host) line() *journal.Host {
	return &journal.Host{Reads: h.reads.line(), Landmarks: linesOf(h.landmarks)}
}

// landmark is one landmark as the journal has it.
type landmark struct {
	declared *judge.Declared // under the policy
	program  judge.Declared  // as the program declares it
	age      age
	count    uint64         // of the last facts
	open     bool           // in the last facts
	written  judge.Landmark // with what is written of it besides its age
}

// sameDeclared reports whether the landmarks are those that are declared.
func sameDeclared(landmarks []landmark, facts []judge.Landmark) bool {
	if len(landmarks) != len(facts) {
		return false
	}
	for i := range facts {
		if d := landmarks[i].declared; d != facts[i].Declared && *d != *facts[i].Declared {
			return false
		}
	}
	return true
}

// newLandmarks returns the landmarks as they are declared now. Of one that was there before
// it keeps the ages.
func newLandmarks(before []landmark, facts []judge.Landmark, declaration []judge.Declared, now judge.Instant) []landmark {
	landmarks := make([]landmark, len(facts))
	for i := range facts {
		d := facts[i].Declared
		l := landmark{declared: d, program: *d, age: newAge(limitOf(&facts[i]))}
		if len(declaration) == len(facts) {
			l.program = declaration[i]
		}
		if i < len(before) && before[i].declared.Name == d.Name {
			l.age, l.count = resetAge(before[i].age, limitOf(&facts[i]), now), before[i].count
		}
		l.written.Declared = d
		landmarks[i] = l
	}
	return landmarks
}

// resetAge returns the age under another limit.
func resetAge(before age, limit time.Duration, now judge.Instant) age {
	n := newAge(limit)
	n.running, n.at, n.known, n.longest = before.running, before.at, before.known, before.longest
	n.pass(now)
	return n
}

// limitOf returns how old the landmark may become, 0 if it may become any age.
func limitOf(l *judge.Landmark) time.Duration {
	switch {
	case l.NotYetReached():
		return l.StartWithin
	case l.Kind == judge.KindCondition:
		return l.TTL
	default:
		return l.Within
	}
}

// running reports whether the landmark grows older, so that it fails some time.
func running(l *judge.Landmark) bool {
	switch {
	case limitOf(l) == 0:
		return false
	case l.NotYetReached(), l.Kind == judge.KindAlive:
		return true
	case l.Kind == judge.KindCondition:
		return l.Met
	default:
		return l.Open
	}
}

// jitter is how much the instant of one pass differs between two reports of it at most: an
// age is rounded, and is that at the time of the report, which is not always known.
const jitter = 5 * time.Millisecond

// renews reports whether the new facts renew the landmark's age.
func (l *landmark) renews(facts *judge.Landmark) bool {
	if running(facts) != l.age.running || facts.Reached != l.written.Reached {
		return true
	}
	// A count identifies the pass, except of work, of which the oldest counts. Landmarks of
	// the host have none.
	if facts.Kind != judge.KindDeadline && facts.Reached && facts.Count > 0 {
		return facts.Count != l.count
	}
	moved := facts.At.Sub(l.age.at)
	return moved > jitter || moved < -jitter
}

// take takes new facts, and reports whether a line must say so.
func (l *landmark) take(facts *judge.Landmark, now judge.Instant) (changed bool) {
	l.declared = facts.Declared
	if limit := limitOf(facts); limit != l.age.limit { // it was reached for the first time
		l.age, changed = resetAge(l.age, limit, now), true
	}
	if l.renews(facts) || l.age.failed && now.Sub(facts.At) <= l.age.limit {
		changed = l.age.renew(running(facts), facts.At, now) || changed
	} else {
		l.age.move(facts.At, now)
	}
	l.count = facts.Count
	w := *facts
	// These change with every report. The judge needs none of them but At, which is the
	// age's, and before the landmark is reached the time of its creation.
	// An age that is not late is the same whether it is open or not.
	w.Count, w.Pending, w.Lag, w.EndedHang = 0, 0, 0, false
	w.Open, w.At = false, 0
	l.open = facts.Open
	if w.Kind != judge.KindLevel {
		w.Value = 0 // for people
	}
	if before := &l.written; w.Reason != before.Reason && w.Met == before.Met && w.Unreadable == before.Unreadable && w.Reached == before.Reached {
		w.Reason = before.Reason // it may have numbers in it that always change
	}
	if w.Kind == judge.KindLevel && !l.levelMoved(facts) {
		w.Value = l.written.Value
	}
	if moved := w.ExtendedTo.Sub(l.written.ExtendedTo); moved < 2*jitter && moved > -2*jitter {
		w.ExtendedTo = l.written.ExtendedTo
	}
	w.Declared = l.written.Declared
	if w != l.written && !(math.IsNaN(w.Value) && sameButValue(w, l.written)) {
		l.written, changed = w, true
	}
	return changed
}

func sameButValue(a, b judge.Landmark) bool {
	if !math.IsNaN(b.Value) {
		return false
	}
	a.Value, b.Value = 0, 0
	return a == b
}

// levelSteps is the number of steps between the limits of a Level. A number that has moved
// by less than a step is not written.
const levelSteps = 8

// levelMoved reports whether the number of a Level must be written: it fails or does not
// fail any more, or has moved by a step.
func (l *landmark) levelMoved(facts *judge.Landmark) bool {
	before := l.written
	before.Declared = facts.Declared
	if !before.Reached || math.IsNaN(facts.Value) != math.IsNaN(before.Value) {
		return true
	}
	if (before.Evaluate(0).State == judge.Failing) != (facts.Evaluate(0).State == judge.Failing) {
		return true
	}
	step := math.Abs(facts.Limits.FailAt-facts.Limits.DegradeAt) / levelSteps
	if step == 0 {
		step = math.Abs(facts.Limits.FailAt) / levelSteps
	}
	return math.Abs(facts.Value-before.Value) > step
}

func linesOf(landmarks []landmark) []journal.Landmark {
	lines := make([]journal.Landmark, len(landmarks))
	for i := range landmarks {
		lines[i] = landmarks[i].line()
	}
	return lines
}

// line returns what a line of facts says of the landmark.
func (l *landmark) line() journal.Landmark {
	d, w := &l.program, &l.written
	j := journal.Landmark{
		Declared: journal.DeclaredOf(d),
		Reached:  w.Reached, Age: l.age.line(), Open: l.open && l.age.late, Value: journal.Number(w.Value), Met: w.Met,
		Unreadable: w.Unreadable, Triggered: w.Triggered, ExtendedTo: w.ExtendedTo, Reason: w.Reason,
	}
	if !w.Reached {
		j.Age.Late, j.Age.At, j.Age.Known = true, l.age.at, l.age.known // which another policy may limit
	}
	return j
}
