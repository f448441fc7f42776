package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/judge"
)

// failures returns a function that returns what the registry has reported so far.
func failures(r *Registry) func() []Failure {
	var mu sync.Mutex
	var all []Failure
	r.OnFailure(func(f Failure) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, f)
	})
	return func() []Failure {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// loopSession is a process with a main loop of one second.
func loopSession(t *testing.T, r *Registry, id AgentID) *Session {
	t.Helper()
	s, err := r.Open(id, discard{})
	if err != nil {
		t.Fatal(err)
	}
	s.SetProcess(evidence.Process{PID: 4711})
	s.Declare([]judge.Declared{{Name: "main loop", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: time.Second}})
	return s
}

// discard is the link of a process that gets no commands.
type discard struct{}

func (discard) GetState(uint64) {}
func (discard) End(error)       {}
func (discard) CaughtUp() bool  { return true }
func (discard) HasEnded() bool  { return false }

// letPass lets the time pass, while the process reports a loop that last answered at its
// beginning, or answers.
func letPass(t *testing.T, s *Session, d time.Duration, hangs bool, hungFor *time.Duration) {
	t.Helper()
	const step = 100 * time.Millisecond
	for range d / step {
		if *hungFor += step; !hangs {
			*hungFor = 0
		}
		if err := s.Report([]Fact{{Reached: true, Age: *hungFor, Open: hangs}}, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(step)
	}
}

// There is one failure for each episode, and at most one in MinInterval.
func TestFailureOncePerEpisode(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		all := failures(r)
		s := loopSession(t, r, AgentID{Service: "epg", Instance: "a", UID: 1})
		defer s.Disconnect()
		var hung time.Duration
		for _, step := range []struct {
			hangs bool
			d     time.Duration
			want  int
		}{
			{false, time.Minute, 0},
			{true, 900 * time.Millisecond, 0},
			{true, time.Minute, 1},
			{false, time.Second, 1},
			{true, 2 * time.Second, 2},
			{false, time.Second, 2},
			{true, 2 * time.Second, 2}, // within MinInterval of the last
			{false, 10 * time.Second, 2},
			{true, 2 * time.Second, 3},
		} {
			letPass(t, s, step.d, step.hangs, &hung)
			if len(all()) != step.want {
				t.Fatalf("after hangs=%t for %v: %d failures, want %d", step.hangs, step.d, len(all()), step.want)
			}
		}
		f := all()[0]
		if f.Service != "epg" || f.Instance != "a" || f.Process.PID != 4711 || f.Silent || fmt.Sprint(f.Landmarks) != "[main loop]" {
			t.Errorf("%+v", f)
		}
	})
}

// A process that is silent fails, whatever landmarks it has, also when no request comes.
func TestSilenceIsAFailure(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		all := failures(r)
		s, err := r.Open(AgentID{Service: "epg", Instance: "a", UID: 1}, discard{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Disconnect()
		s.Declare([]judge.Declared{{Name: "db", Kind: judge.KindCondition, Impact: judge.ImpactReadiness}})
		if err := s.Report([]Fact{{Reached: true, Met: true}}, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if len(all()) != 1 || !all()[0].Silent || len(all()[0].Landmarks) != 0 {
			t.Errorf("%+v", all())
		}
	})
}

// A Level or Condition that fails is no failure: there is nothing to see of it.
func TestConditionIsNoFailure(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		all := failures(r)
		s, _ := r.Open(AgentID{Service: "epg", Instance: "a", UID: 1}, discard{})
		defer s.Disconnect()
		s.Declare([]judge.Declared{{Name: "db", Kind: judge.KindCondition, Impact: judge.ImpactReadiness}})
		for range 30 {
			s.Report([]Fact{{Reached: true}}, 0)
			time.Sleep(100 * time.Millisecond)
		}
		if a := lookup(r, "epg"); a.Cause != judge.Failed || len(all()) != 0 {
			t.Errorf("cause %v, failures %+v", a.Cause, all())
		}
	})
}

// Evidence belongs to the change that it explains, whichever comes first.
func TestEvidenceBelongsToItsChange(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		all := failures(r)
		s := loopSession(t, r, AgentID{Service: "epg", Instance: "a", UID: 1})
		defer s.Disconnect()
		var hung time.Duration
		letPass(t, s, time.Second, false, &hung)
		s.AddEvidence(evidence.Evidence{Summary: "an unrelated one"}, 0)
		letPass(t, s, time.Minute, false, &hung)
		letPass(t, s, 900*time.Millisecond, true, &hung)
		s.AddEvidence(evidence.Evidence{Source: evidence.Program, Summary: "before"}, 0)
		letPass(t, s, 5*time.Second, true, &hung)
		f := all()[0]
		f.AddEvidence(evidence.Evidence{Summary: "after"})
		letPass(t, s, 5*time.Second, false, &hung)
		s.AddEvidence(evidence.Evidence{Summary: "late"}, 8*time.Second)

		changes, _ := r.History("epg")
		var stalled uint64
		for _, c := range changes {
			if c.Verdicts[judge.Readiness].Cause == judge.Stalled {
				stalled = c.Number
			}
		}
		got, _ := r.Evidence("epg")
		want := []struct {
			summary string
			change  uint64
		}{{"an unrelated one", 0}, {"before", stalled}, {"after", stalled}, {"late", stalled}}
		if len(got) != len(want) || stalled == 0 || r.LatestEvidence("epg") != 4 {
			t.Fatalf("the change is %d, the evidence %+v", stalled, got)
		}
		for i, w := range want {
			if e := got[i]; e.Summary != w.summary || e.Change != w.change || e.Number != uint64(i+1) || e.Instance != "a" || e.PID != 4711 {
				t.Errorf("%+v, want %+v", e, w)
			}
		}
	})
}

// A capture by the program's own limit belongs to the change that a longer limit of the
// configuration makes of the same hang.
func TestEvidenceOfALongHang(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) {
			p.Configured = true
			within := 20 * time.Second
			p.Landmarks = map[string]Override{"main loop": {Within: &within}}
		})}, nil)
		s := loopSession(t, r, AgentID{Service: "epg", Instance: "a", UID: 1})
		defer s.Disconnect()
		var hung time.Duration
		letPass(t, s, time.Second, false, &hung)
		letPass(t, s, 2*time.Second, true, &hung)
		s.AddEvidence(evidence.Evidence{Landmarks: []string{"main loop"}}, 0)
		s.AddEvidence(evidence.Evidence{Landmarks: []string{"another"}}, 0)
		letPass(t, s, 20*time.Second, true, &hung)
		got, _ := r.Evidence("epg")
		if got[0].Change == 0 || got[1].Change != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// The evidence of a service and of a user is bounded, and what one user has leaves the
// others theirs.
func TestEvidenceIsBounded(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		text := strings.Repeat("x", evidence.MaxText)
		total := func(uid uint32) int {
			r.evidence.mu.Lock()
			defer r.evidence.mu.Unlock()
			return r.evidence.users[uid]
		}
		for uid := range uint32(4) {
			for n := range 8 {
				s := loopSession(t, r, AgentID{Service: fmt.Sprintf("s%d-%d", uid, n), Instance: "a", UID: 1000 + uid})
				defer s.Disconnect()
				var hung time.Duration
				letPass(t, s, 100*time.Millisecond, false, &hung)
				for range 20 {
					s.AddEvidence(evidence.Evidence{Text: text}, 0)
				}
				kept, _ := r.Evidence(fmt.Sprintf("s%d-%d", uid, n))
				if size := len(kept) * evidence.MaxText; len(kept) == 0 || size > MaxEvidence || kept[len(kept)-1].Number != 20 {
					t.Fatalf("%d of 20 are kept, the last is number %d", len(kept), kept[len(kept)-1].Number)
				}
			}
			if got := total(1000 + uid); got > MaxEvidencePerUser {
				t.Errorf("the evidence of user %d takes %d bytes", uid, got)
			}
		}
		if r.evidence.total > MaxAllEvidence {
			t.Errorf("all evidence takes %d bytes", r.evidence.total)
		}
		for uid := range uint32(4) {
			if got := total(1000 + uid); got < MaxAllEvidence/4*9/10 {
				t.Errorf("the evidence of user %d takes %d bytes only", uid, got)
			}
		}
	})
}

// Only those who may drain a service may see its evidence, and a new owner does not get
// that of the one before.
func TestEvidenceIsPrivate(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		s := loopSession(t, r, AgentID{Service: "epg", Instance: "a", UID: 1000})
		defer s.Disconnect()
		var hung time.Duration
		letPass(t, s, 100*time.Millisecond, false, &hung)
		s.AddEvidence(evidence.Evidence{Summary: "secret"}, 0)
		if err := r.MayOrder("epg", 1001); !errors.Is(err, ErrNotOwner) {
			t.Error(err)
		}
		for _, uid := range []uint32{0, 1000, ownUser} {
			if err := r.MayOrder("epg", uid); err != nil {
				t.Error(err)
			}
		}
		if err := r.MayOrder("absent", 0); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
		taken := loopSession(t, r, AgentID{Service: "epg", Instance: "a", UID: 0})
		defer taken.Disconnect()
		letPass(t, taken, 100*time.Millisecond, false, &hung)
		s.AddEvidence(evidence.Evidence{Summary: "late"}, 0)
		if got, _ := r.Evidence("epg"); len(got) != 0 {
			t.Errorf("the new owner sees %+v", got)
		}
		taken.AddEvidence(evidence.Evidence{Summary: "new"}, 0)
		taken.Disconnect()
		if err := r.Forget("epg", 0); err != nil {
			t.Fatal(err)
		}
		kept := loopSession(t, r, AgentID{Service: "kept", Instance: "a", UID: 1000})
		r.Configure(map[string]Policy{"kept": policy(func(p *Policy) { p.Configured = true })}, nil)
		letPass(t, kept, 100*time.Millisecond, false, &hung)
		kept.AddEvidence(evidence.Evidence{Summary: "secret"}, 0)
		kept.Disconnect()
		if err := r.Forget("kept", 1000); err != nil || !r.Knows("kept") {
			t.Fatalf("the configured service is forgotten as a whole: %v", err)
		}
		if len(r.evidence.lists) != 0 || r.evidence.total != 0 || len(r.evidence.users) != 0 {
			t.Errorf("after Forget %+v is left", &r.evidence)
		}
	})
}
