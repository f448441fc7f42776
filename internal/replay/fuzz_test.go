package replay

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/registry"
)

// FuzzReplay replays arbitrary lines under the recorded and under other policies. It must
// end, and its numbers must make sense.
func FuzzReplay(f *testing.F) {
	for seed := range uint64(2) {
		var b bytes.Buffer
		// A short one: synctest does not run in a fuzz target, so the lines are made by hand.
		e := json.NewEncoder(&b)
		at := judge.Instant(seed)
		add := func(l journal.Line) {
			l.Time, l.Seq = time.Unix(0, int64(at)).UTC(), uint64(bytes.Count(b.Bytes(), []byte("\n")))
			if l.Type != journal.TypeJournal {
				l.Seq--
			}
			l.At, l.Service = at, "epg"
			if err := e.Encode(l); err != nil {
				f.Fatal(err)
			}
			at += 1e9
		}
		facts := func(full, late bool) {
			age := journal.Age{Floor: 1e9}
			if late {
				age = journal.Age{Floor: 1e9, Late: true, At: at - 2e9, Known: at - 1e9}
			}
			add(journal.Line{Type: journal.TypeFacts, Facts: &journal.Facts{
				Full: full, History: new(journal.History), Judged: new(journal.Judged),
				Instances: []journal.Instance{{ID: 1, Process: &journal.Process{Name: "a", Reports: journal.Age{Floor: 1e9}, Landmarks: []journal.Landmark{{
					Declared: journal.Declared{Name: "main loop", Kind: journal.Kind(judge.KindLoop), Impact: journal.Impact(judge.ImpactCritical), Within: 1e9},
					Reached:  true, Age: age, Open: late,
				}}}}},
				Host: &journal.Host{Landmarks: []journal.Landmark{{
					Declared: journal.Declared{Name: "probe", Kind: journal.Kind(judge.KindCondition), Impact: journal.Impact(judge.ImpactReadiness), TTL: 3e9},
					Reached:  true, Met: true, Age: journal.Age{Floor: 1e9},
				}}},
			}})
		}
		add(journal.Line{Type: journal.TypeJournal, Journal: &journal.Header{Run: "r"}})
		add(journal.Line{Type: journal.TypePolicy, Policy: &journal.Policy{StaleAfter: 1e9, ForgetAfter: 1e9, Fall: 1, Rise: 1}})
		facts(true, false)
		add(journal.Line{Type: journal.TypeCheck, Check: &journal.Check{Took: 5}})
		facts(false, true)
		add(journal.Line{Type: journal.TypeAges, Ages: &journal.Ages{Longest: []journal.Longest{{ID: 1, Landmark: "main loop", Age: 9e8}}}})
		facts(false, false)
		add(journal.Line{Type: journal.TypeVerdict, Verdict: new(journal.Change)})
		add(journal.Line{Type: journal.TypeGone})
		f.Add(b.Bytes())
	}
	other := registry.DefaultPolicy
	other.RecoverAfter, other.FallAfter, other.SlowStart = time.Second, time.Second, time.Minute
	other.Landmarks = map[string]registry.Override{"main loop": {Within: new(100 * time.Millisecond)}}
	other.Host = []registry.HostLandmark{{
		Declared: judge.Declared{Name: "probe", Kind: judge.KindCondition, Impact: judge.ImpactCritical, TTL: 3e9},
		Probe:    &probe.Check{Fall: 2, Rise: 2},
	}}
	f.Fuzz(func(t *testing.T, file []byte) {
		lines := func(yield func(journal.Line, *journal.Problem) bool) {
			for line := range bytes.SplitSeq(file, []byte("\n")) {
				l, err := journal.Decode(line)
				if err != nil {
					if !yield(journal.Line{}, &journal.Problem{Err: err}) {
						return
					}
				} else if !yield(l, nil) {
					return
				}
			}
		}
		for _, c := range []Config{{}, {Policies: map[string]registry.Policy{"epg": other}}} {
			r := Run(lines, c)
			for _, s := range r.Services {
				for _, o := range []Outcome{s.Recorded, s.New, s.Most} {
					if o.Takeouts < 0 || o.Out < 0 || o.OutHealthy < 0 || o.HangServed < 0 || o.OutHealthy > o.Out {
						t.Errorf("%s: %+v", s.Name, o)
					}
				}
				if s.Avoided > s.Recorded.Takeouts || s.Added > s.New.Takeouts {
					t.Errorf("%s: %d avoided, %d added", s.Name, s.Avoided, s.Added)
				}
			}
			if err := r.WriteSVG(new(bytes.Buffer)); err != nil {
				t.Error(err)
			}
		}
	})
}
