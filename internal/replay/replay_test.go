package replay

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/recorder"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// change is a change of a service's verdicts.
type change struct {
	at     judge.Instant
	states [judge.Aspects]state
}

func (c change) String() string { return fmt.Sprintf("%d %v", c.at, c.states) }

// recordedChanges returns the recorded changes of each service.
func recordedChanges(lines []journal.Line) map[string][]change {
	all := make(map[string][]change)
	for _, l := range lines {
		var verdicts [judge.Aspects]journal.Verdict
		switch {
		case l.Type == journal.TypeVerdict:
			verdicts = l.Verdict.Verdicts()
		case l.Type == journal.TypeFacts && l.Facts.Full:
			verdicts = l.Facts.Judged.Verdicts()
		default:
			continue
		}
		var states [judge.Aspects]state
		for a, v := range verdicts {
			states[a] = state{judge.Status(v.Status), judge.Cause(v.Cause)}
		}
		all[l.Service] = appendChange(all[l.Service], change{l.At, states})
	}
	return all
}

func appendChange(changes []change, c change) []change {
	if n := len(changes); n > 0 && changes[n-1].states == c.states {
		return changes
	}
	return append(changes, c)
}

// TestSamePolicyGivesRecordedVerdicts replays random programs under the policies that were
// in effect: each change must come back, at its very instant.
func TestSamePolicyGivesRecordedVerdicts(t *testing.T) {
	seeds := 40
	if testing.Short() {
		seeds = 10
	}
	total := 0
	for seed := range uint64(seeds) {
		lines := record(t, seed, 600)
		want := recordedChanges(lines)
		got := make(map[string][]change)
		Run(linesOf(lines), Config{changed: func(service string, _ int, at judge.Instant, states [judge.Aspects]state) {
			got[service] = appendChange(got[service], change{at, states})
		}})
		for service, changes := range want {
			total += len(changes)
			if !slices.Equal(got[service], changes) {
				t.Errorf("seed %d: %s:\n%s", seed, service, firstDifference(got[service], changes, 0))
			}
		}
		if t.Failed() {
			return
		}
	}
	if total < 10*seeds {
		t.Errorf("%d changes: the programs do too little", total)
	}
}

func firstDifference(got, want []change, jitter time.Duration) string {
	got, want = settled(got, jitter), settled(want, jitter)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i].states != want[i].states || got[i].at.Sub(want[i].at).Abs() > jitter {
			return fmt.Sprintf("change %d:\n got %v\nwant %v", i, got[max(0, i-1):min(len(got), i+3)], want[max(0, i-1):min(len(want), i+3)])
		}
	}
	return "none"
}

// exactPolicies returns policies whose limits are not below the floors of a journal that was
// recorded under those with a limit of 1 s, unless these are exceeded often.
func exactPolicies(r *rand.Rand, recorded bool) map[string]registry.Policy {
	policies := make(map[string]registry.Policy)
	for _, s := range services {
		p := registry.DefaultPolicy
		p.Landmarks = make(map[string]registry.Override)
		for _, k := range []judge.Kind{judge.KindLoop, judge.KindAlive, judge.KindDeadline} {
			for i := range 4 {
				within := time.Second
				if !recorded {
					within = time.Duration(250+r.IntN(2000)) * time.Millisecond
				}
				o := registry.Override{Within: &within}
				if !recorded && r.IntN(3) == 0 {
					o.Impact = new(pick(r, judge.ImpactCritical, judge.ImpactReadiness, judge.ImpactDegrading, judge.ImpactInformational))
				}
				p.Landmarks[fmt.Sprintf("%d %d", k, i)] = o
			}
		}
		if !recorded {
			p.StaleAfter = time.Duration(1500+r.IntN(1000)) * time.Millisecond
			p.Quorum = pick(r, judge.All, judge.Any, judge.Quorum{AtLeast: 2})
			p.FallAfter = pick(r, 0, 300*time.Millisecond)
			p.RecoverAfter = pick(r, 0, time.Second)
		}
		policies[s] = p
	}
	return policies
}

// TestOtherPolicyGivesItsVerdicts replays random programs under another policy than that in
// effect. The same programs are recorded under that policy, too: both must say the same.
func TestOtherPolicyGivesItsVerdicts(t *testing.T) {
	seeds, total, skipped := 40, 0, 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 3))
		other := exactPolicies(r, false)
		lines := simple(t, seed, exactPolicies(r, true))
		want := recordedChanges(simple(t, seed, other))
		got := make(map[string][]change)
		bounded := Run(linesOf(lines), Config{Policies: other, changed: func(service string, _ int, at judge.Instant, states [judge.Aspects]state) {
			if n := len(got[service]); n > 0 && at < got[service][n-1].at {
				got[service] = nil // the journal is read once more
			}
			got[service] = appendChange(got[service], change{at, states})
		}})
		for service, changes := range want {
			if slices.ContainsFunc(bounded.Services, func(s *ServiceResult) bool { return s.Name == service && s.Bounded }) {
				skipped++ // TestSmallLimitIsBounded
				continue
			}
			total += len(changes)
			if !equalWithin(got[service], changes, 2*time.Microsecond) {
				t.Errorf("seed %d: %s:\n%s", seed, service, firstDifference(got[service], changes, 2*time.Microsecond))
			}
		}
		if t.Failed() {
			return
		}
	}
	if total < 5*seeds || skipped > seeds {
		t.Errorf("%d changes, and %d of %d services skipped: too little is compared", total, skipped, 2*seeds)
	}
}

// equalWithin reports whether the changes are the same, at instants that differ by less
// than the jitter of reports of one and the same pass.
func equalWithin(got, want []change, jitter time.Duration) bool {
	return slices.EqualFunc(settled(got, jitter), settled(want, jitter), func(a, b change) bool {
		return a.states == b.states && a.at.Sub(b.at).Abs() <= jitter
	})
}

// settled leaves out what lasts for less than the jitter.
func settled(changes []change, jitter time.Duration) (all []change) {
	for i, c := range changes {
		if i+1 < len(changes) && changes[i+1].at.Sub(c.at) <= jitter {
			continue
		}
		all = appendChange(all, c)
	}
	return all
}

// TestSmallLimitIsBounded replays random programs under limits that are so small that the
// journal does not say exactly when they are exceeded. What the same programs get under
// these limits must be within the bounds.
func TestSmallLimitIsBounded(t *testing.T) {
	seeds, bounded := 30, 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 3))
		small := exactPolicies(r, true)
		for _, p := range small {
			for name := range p.Landmarks {
				p.Landmarks[name] = registry.Override{Within: new(time.Duration(20+r.IntN(200)) * time.Millisecond)}
			}
		}
		lines := simple(t, seed, exactPolicies(r, true))
		truth := Run(linesOf(simple(t, seed, small)), Config{})
		got := Run(linesOf(lines), Config{Policies: small})
		if i := slices.IndexFunc(lines, func(l journal.Line) bool { return l.Type == journal.TypeAges }); seed%2 == 0 && i > 0 {
			killed := slices.Clone(lines[:i]) // it was alive until then
			killed = append(killed, journal.Line{Type: journal.TypeAlive, Time: lines[i].Time, Seq: lines[i].Seq, At: lines[i].At})
			got = Run(linesOf(killed), Config{Policies: small})
		}
		for i, s := range got.Services {
			want := truth.Services[i].Recorded.Out
			least, most := s.New.Out, s.New.Out
			if s.Bounded {
				most = s.Most.Out
				bounded++
			}
			if want < least-time.Millisecond || want > most+time.Millisecond {
				t.Errorf("seed %d: %s was out for %v, which is not between %v and %v", seed, s.Name, want, least, most)
			}
		}
	}
	if bounded < seeds/4 {
		t.Errorf("only %d of the outcomes are bounded", bounded)
	}
}

// TestHostIsRenewed records a service without processes, of which nothing changes but when
// it was checked last.
func TestHostIsRenewed(t *testing.T) {
	p := registry.DefaultPolicy
	p.Quorum = judge.NoneNeeded
	p.Host = []registry.HostLandmark{{Declared: judge.Declared{Name: "probe", Kind: judge.KindCondition, Impact: judge.ImpactReadiness, TTL: 2 * time.Second}}}
	policies := map[string]registry.Policy{"epg": p}
	var lines []journal.Line
	synctest.Test(t, func(t *testing.T) {
		c, m := clock.New(), newMemory()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = c.Run(ctx, func() bool { return true }) })
		r := registry.New(c, 0)
		rec := recorder.New(recorder.Config{Journal: m, Logger: slog.New(slog.DiscardHandler), Now: c.Judged})
		r.SetRecorder(rec)
		r.Configure(policies, nil)
		r.BeginGrace()
		running.Go(func() { _ = rec.Run(ctx, r) })
		for i := range 400 {
			_, real := c.Read()
			age := time.Duration(i%10) * 150 * time.Millisecond // it is checked every 1.5 s
			r.ReportHost("epg", registry.HostReport{ReadAt: real, Facts: []registry.Fact{{Reached: true, Met: i < 300 || i > 350, Age: age}}})
			time.Sleep(150 * time.Millisecond)
		}
		cancel()
		running.Wait()
		lines = m.lines
	})
	r := Run(linesOf(lines), Config{Policies: policies})
	if s := r.Services[0]; s.Recorded.Takeouts != 1 || s.New.Takeouts != 1 || s.New.Out != s.Recorded.Out || s.Bounded {
		t.Errorf("got %+v, want the one recorded takeout", s)
	}
}

// TestOtherRiseAndFall replays checks of a program of which one failed.
func TestOtherRiseAndFall(t *testing.T) {
	at := judge.Instant(0)
	var lines []journal.Line
	add := func(l journal.Line) {
		l.Seq, l.At, l.Time, l.Service = uint64(max(0, len(lines)-1)), at, time.Unix(0, int64(at)), "epg"
		lines = append(lines, l)
	}
	facts := func(met, full bool) {
		f := &journal.Facts{Full: full, Host: &journal.Host{Landmarks: []journal.Landmark{{
			Declared: journal.Declared{Name: probe.Name, Kind: journal.Kind(judge.KindCondition), Impact: journal.Impact(judge.ImpactReadiness), TTL: 10 * time.Second},
			Reached:  true, Met: met,
		}}}}
		verdict := journal.Verdict{Status: journal.Status(judge.Serving)}
		if !met {
			verdict = journal.Verdict{Status: journal.Status(judge.NotServing), Cause: journal.Cause(judge.Failed)}
		}
		if full {
			f.History, f.Judged = new(journal.History), &journal.Judged{Readiness: verdict}
		} else {
			add(journal.Line{Type: journal.TypeVerdict, Verdict: &journal.Change{Judged: journal.Judged{Readiness: verdict}}})
		}
		add(journal.Line{Type: journal.TypeFacts, Facts: f})
	}
	check := func(ok bool) {
		at += judge.Instant(time.Second)
		add(journal.Line{Type: journal.TypeCheck, Check: &journal.Check{OK: ok, Error: "no answer"}})
	}
	add(journal.Line{Type: journal.TypeJournal, Journal: &journal.Header{Run: "r"}})
	add(journal.Line{Type: journal.TypePolicy, Policy: &journal.Policy{StaleAfter: time.Second, ForgetAfter: time.Hour, NoneNeeded: true, Fall: 1, Rise: 1}})
	facts(true, true)
	check(true)
	check(false) // alone
	facts(false, false)
	check(true)
	facts(true, false)
	for range 3 {
		check(false)
		if at == 4e9 {
			facts(false, false)
		}
	}
	check(true)
	facts(true, false)
	check(true)
	add(journal.Line{Type: journal.TypeStop})
	policy := registry.DefaultPolicy
	policy.Quorum = judge.NoneNeeded
	policy.Host = []registry.HostLandmark{{
		Declared: judge.Declared{Name: probe.Name, Kind: judge.KindCondition, Impact: judge.ImpactReadiness, TTL: 10 * time.Second},
		Probe:    &probe.Check{Fall: 2, Rise: 2},
	}}
	s := Run(linesOf(lines), Config{Policies: map[string]registry.Policy{"epg": policy}}).Services[0]
	if s.Recorded.Takeouts != 2 || s.Recorded.Out != 4*time.Second {
		t.Errorf("recorded: %d takeouts, out for %v", s.Recorded.Takeouts, s.Recorded.Out)
	}
	if s.New.Takeouts != 1 || s.New.Out != 3*time.Second || s.Avoided != 1 || s.Added != 0 {
		t.Errorf("with fall and rise of 2: %d takeouts, out for %v, %d avoided, %d added; want 1, 3 s, 1, 0", s.New.Takeouts, s.New.Out, s.Avoided, s.Added)
	}
}

// TestGapsAndRuns replays a journal of two runs in which lines are lost: what is not known
// counts nowhere.
func TestGapsAndRuns(t *testing.T) {
	first := record(t, 1, 200)
	second := record(t, 2, 200)
	second[0].Journal = &journal.Header{Run: "another"}
	cut := len(first) / 3
	lines := slices.Concat(first[:cut], first[cut+40:], second)
	problems := 0
	r := Run(func(yield func(journal.Line, *journal.Problem) bool) {
		for i, l := range lines {
			if i == cut/2 {
				problems++
				if !yield(journal.Line{}, &journal.Problem{File: "f", Line: i, Err: errors.New("damaged")}) {
					return
				}
				continue
			}
			if !yield(l, nil) {
				return
			}
		}
	}, Config{})
	if r.Runs != 2 || r.Lost != 41 || r.Damaged != 1 || len(r.Problems) != 1 {
		t.Errorf("%d runs, %d lost lines, %d damaged ones; want 2, 41, 1", r.Runs, r.Lost, r.Damaged)
	}
	for _, s := range r.Services {
		for _, o := range []Outcome{s.Recorded, s.New} {
			for i, span := range o.Spans {
				if i > 0 && o.Spans[i-1].run == span.run && o.Spans[i-1].to > span.from {
					t.Errorf("%s: two spans overlap: %+v and %+v", s.Name, o.Spans[i-1], span)
				}
			}
		}
		if s.Avoided != 0 || s.Added != 0 {
			t.Errorf("%s: %d takeouts avoided and %d added under the recorded policy", s.Name, s.Avoided, s.Added)
		}
	}
}

// TestSVG checks that the timeline is well-formed, whatever services are called, and has what
// was recorded above what is new.
func TestSVG(t *testing.T) {
	start := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	span := func(status judge.Status, cause judge.Cause, from, to int) Span {
		return Span{Status: status, Cause: cause, From: start.Add(time.Duration(from) * time.Second), To: start.Add(time.Duration(to) * time.Second)}
	}
	r := &Report{From: start, To: start.Add(100 * time.Second), Services: []*ServiceResult{{
		Name:     `<script>&"a name that is longer than there is room for"`,
		Recorded: Outcome{Spans: []Span{span(judge.Serving, judge.None, 0, 50), span(judge.NotServing, judge.Stalled, 50, 100)}},
		New:      Outcome{Spans: []Span{span(judge.NotServing, judge.UnknownName, 0, 100)}},
		Hangs:    []Hang{{start.Add(49 * time.Second), start.Add(100 * time.Second)}},
	}}}
	var b bytes.Buffer
	if err := r.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	y := make(map[string]string) // of the texts and classes
	for d := xml.NewDecoder(&b); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if e.Name.Local == "script" {
			t.Error("a name was not escaped")
		}
		at := make(map[string]string)
		for _, a := range e.Attr {
			at[a.Name.Local] = a.Value
		}
		switch e.Name.Local {
		case "rect":
			y[at["class"]] = at["y"] + " " + at["x"] + " " + at["width"]
		case "text":
			text, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			if c, ok := text.(xml.CharData); ok {
				y[string(c)] = at["y"]
			}
		}
	}
	for what, want := range map[string]string{
		"recorded": "76", "new": "96",
		"serving": "64 190.00 495.00", "stalled": "64 685.00 495.00", "unknown": "84 190.00 990.00", "hang": "106 675.10 504.90",
	} {
		if y[what] != want {
			t.Errorf("%s is at %q, want %q", what, y[what], want)
		}
	}
}
