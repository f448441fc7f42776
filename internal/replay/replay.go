package replay

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// maxProblems is the number of damaged lines that a report names.
const maxProblems = 10

// Config configures a replay.
type Config struct {
	// Policies are those to judge by, by service. Services without one have
	// registry.DefaultPolicy. nil = those that the journal says were in effect, which must
	// give the recorded verdicts.
	Policies map[string]registry.Policy

	// changed is called at each change under the policies, for tests; may be nil.
	changed func(service string, run int, at judge.Instant, states [judge.Aspects]state)
}

// policyFor returns the policy for the service, nil if it is the recorded one.
func (c *Config) policyFor(service string) *registry.Policy {
	if c.Policies == nil {
		return nil
	}
	policy, configured := c.Policies[service]
	if !configured {
		policy = registry.DefaultPolicy
	}
	policy.Configured = configured
	return &policy
}

// Report is the result of a replay.
type Report struct {
	Services []*ServiceResult // sorted by name
	Runs     int              // of landmarkd
	From, To time.Time        // of the journal
	Lost     uint64           // lines that are missing
	Damaged  int
	Problems []journal.Problem // the first damaged lines
}

// Run replays the lines, which it reads once or twice.
func Run(lines iter.Seq2[journal.Line, *journal.Problem], c Config) *Report {
	p := play(lines, c, nil)
	if len(p.unknownAges) > 0 {
		p = play(lines, c, p.unknownAges)
	}
	return p.finish()
}

// player plays a journal.
type player struct {
	config      Config
	unknownAges map[string][]unknownAge // by service
	second      bool                    // unknownAges was given

	report   Report
	run      run
	live     map[string]*service // of the run
	finished map[string]*ServiceResult
}

// run is the life of one landmarkd.
type run struct {
	id     string
	number int
	seq    uint64        // of the next line
	last   judge.Instant // of the lines until now
	base   time.Time     // the time of day at instant 0
	based  bool
}

// timeOf returns the time of day at the instant.
func (r *run) timeOf(at judge.Instant) time.Time { return r.base.Add(time.Duration(at)) }

func play(lines iter.Seq2[journal.Line, *journal.Problem], c Config, given map[string][]unknownAge) *player {
	p := &player{config: c, unknownAges: given, second: given != nil, finished: make(map[string]*ServiceResult), live: make(map[string]*service)}
	if !p.second {
		p.unknownAges = make(map[string][]unknownAge)
	}
	for l, problem := range lines {
		if problem != nil {
			p.damaged(problem)
			continue
		}
		p.line(&l)
	}
	p.endRun()
	return p
}

func (p *player) damaged(problem *journal.Problem) {
	if p.report.Damaged++; len(p.report.Problems) < maxProblems {
		p.report.Problems = append(p.report.Problems, *problem)
	}
}

// finish returns the report, with what the outcomes of all services measure.
func (p *player) finish() *Report {
	r := &p.report
	for _, name := range slices.Sorted(maps.Keys(p.finished)) {
		s := p.finished[name]
		s.measure()
		r.Services = append(r.Services, s)
	}
	return r
}

// line plays one line.
func (p *player) line(l *journal.Line) {
	if l.Type == journal.TypeJournal {
		p.header(l)
		return
	}
	if p.run.id == "" {
		return // of a run whose beginning is not there: a line was damaged
	}
	if l.Seq != p.run.seq {
		p.gap(l)
	}
	p.run.seq = l.Seq + 1
	if at := l.Time.Add(-time.Duration(l.At)); !p.run.based || l.Type == journal.TypeAlive {
		p.run.base, p.run.based = at, true
	}
	p.span(l.Time)
	p.run.last = max(p.run.last, l.At)
	if l.Service != "" {
		p.service(l)
	}
}

func (p *player) span(t time.Time) {
	if p.report.From.IsZero() || t.Before(p.report.From) {
		p.report.From = t
	}
	if t.After(p.report.To) {
		p.report.To = t
	}
}

// header begins a file, and a run if it is another one than before.
func (p *player) header(l *journal.Line) {
	if l.Journal.Run == p.run.id {
		return // the header has the number of the line that follows
	}
	p.endRun()
	p.report.Runs++
	p.run = run{id: l.Journal.Run, number: p.report.Runs, seq: l.Seq}
}

// gap forgets the facts of all services, which may have changed in the lines that are lost,
// until their next full lines.
func (p *player) gap(l *journal.Line) {
	if l.Seq > p.run.seq {
		p.report.Lost += l.Seq - p.run.seq
	}
	for _, s := range p.live {
		s.end(p.run.last)
	}
}

// endRun ends all services at the last instant of the run.
func (p *player) endRun() {
	for _, s := range p.live {
		s.end(p.run.last)
	}
	clear(p.live)
	p.run = run{}
}

// service plays a line about a service.
func (p *player) service(l *journal.Line) {
	s := p.live[l.Service]
	if s == nil {
		s = p.newService(l.Service)
		p.live[l.Service] = s
	}
	switch l.Type {
	case journal.TypePolicy:
		s.nextPolicy = l.Policy
	case journal.TypeFacts:
		s.setFacts(l.Facts, l.At)
	case journal.TypeVerdict:
		s.setRecorded(l.Verdict.Verdicts(), l.At)
	case journal.TypeAges:
		s.addAges(l.Ages, l.At)
	case journal.TypeCheck:
		s.addCheck(l.Check, l.At)
	case journal.TypeGap:
		s.end(l.At)
	case journal.TypeGone:
		s.end(l.At)
		delete(p.live, l.Service)
	}
}

// inexact returns the names of the parts whose age is unknown.
func inexact(all []unknownAge) (names []string) {
	for _, u := range all {
		name := u.landmark
		if name == "" {
			name = "the reports of a process"
			if u.id == 0 {
				name = "the readings of the host"
			}
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (p *player) newService(name string) *service {
	result := p.finished[name]
	if result == nil {
		result = &ServiceResult{Name: name}
		p.finished[name] = result
	}
	s := &service{player: p, result: result, given: p.config.policyFor(name)}
	s.tracks = append(s.tracks, s.newTrack(&result.New, false))
	if p.second && len(p.unknownAges[name]) > 0 {
		result.Bounded, result.Inexact = true, inexact(p.unknownAges[name])
		s.tracks = append(s.tracks, s.newTrack(&result.Most, true))
	}
	return s
}
