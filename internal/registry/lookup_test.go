package registry

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
)

func TestResolve(t *testing.T) {
	for name, want := range map[string]struct {
		service string
		aspect  judge.Aspect
	}{
		"":                       {"", judge.Readiness},
		"readiness":              {"", judge.Readiness},
		"liveness":               {"", judge.Liveness},
		"startup":                {"", judge.Startup},
		"epg":                    {"epg", judge.Readiness},
		"epg-readiness":          {"epg", judge.Readiness},
		"epg-liveness":           {"epg", judge.Liveness},
		"epg-startup":            {"epg", judge.Startup},
		"e-startup":              {"e", judge.Startup},
		"a-b-liveness":           {"a-b", judge.Liveness},
		"a--liveness":            {"a-", judge.Liveness},
		"xreadiness":             {"xreadiness", judge.Readiness},
		"epg-Liveness":           {"epg-Liveness", judge.Readiness},
		"epg-liveness-readiness": {"epg-liveness", judge.Readiness}, // no service has this name
		"-liveness":              {"-liveness", judge.Readiness},
		"-":                      {"-", judge.Readiness},
	} {
		service, aspect := resolve([]byte(name))
		if string(service) != want.service || aspect != want.aspect {
			t.Errorf("%q: got the %s of %q, want the %s of %q", name, aspect, service, want.aspect, want.service)
		}
	}
}

// No name that a service may have is taken for another's.
func TestResolveFindsEveryServiceName(t *testing.T) {
	for _, service := range []string{"epg", "e", "a-", "xstartup", "readiness-epg", strings.Repeat("x", contract.MaxServiceName)} {
		if err := contract.CheckServiceName(service); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{service, service + "-readiness", service + "-liveness", service + "-startup"} {
			if got, _ := resolve([]byte(name)); string(got) != service {
				t.Errorf("%q: got service %q, want %q", name, got, service)
			}
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	r := New(clock.New(), 0)
	for i := range 10 {
		open(t, r, fmt.Sprintf("epg%d", i), "a").pass()
	}
	for _, name := range []string{"epg3", "epg3-liveness", "epg3-startup", "", "readiness", "liveness", "unknown"} {
		wire := []byte(name)
		if n := testing.AllocsPerRun(100, func() { r.Lookup(wire, time.Second) }); n != 0 {
			t.Errorf("Lookup(%q): got %v allocations, want 0", name, n)
		}
	}
}

func TestLookupKeepsNoReferenceToTheName(t *testing.T) {
	r := New(clock.New(), 0)
	open(t, r, "epg", "a").pass()
	name := []byte("epg")
	a, _ := r.Lookup(name, 0)
	copy(name, "xxx")
	check(t, "looked up again", lookup(r, "epg"), judge.None)
	check(t, "the first answer", a, judge.None)
	if n := len(a.Landmarks()); n != 1 {
		t.Errorf("got %d landmarks of the first answer, want 1", n)
	}
}

// A reader that takes the time, and loads the snapshot only after a report, finds
// the facts new. They are not of the future.
func TestLookupBeforeTheReportFindsAgeZero(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		time.Sleep(time.Second)
		earlier := r.clock.Judged()
		time.Sleep(100 * time.Millisecond)
		epg.pass()
		a := r.service("epg").lookup(judge.Readiness, earlier, earlier)
		if a.Age != 0 || a.StatusAge < 0 || a.Landmarks()[0].Age != 0 {
			t.Errorf("got facts of age %v, a landmark of age %v, a status of age %v; want 0, 0, at least 0", a.Age, a.Landmarks()[0].Age, a.StatusAge)
		}
	})
}

// A reader sees what time has changed before the timer has published it. The timer
// then counts the same changes.
func TestLookupDoesNotWaitForTheTimer(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		s := r.service("epg")
		due := s.current.Load().next
		time.Sleep(due.Sub(r.clock.Judged()) - 1)
		before := lookup(r, "epg")
		check(t, "1 ns before the limit", before, judge.None)

		synctest.Wait() // the timer may have fired early, and is set anew
		stopTimer(s)
		time.Sleep(time.Millisecond + 1)
		unpublished := s.current.Load()
		early, earlyOverall := lookup(r, "epg"), lookup(r, "")
		if s.current.Load() != unpublished || unpublished.verdicts[judge.Readiness].Status != judge.Serving {
			t.Fatal("the change was published without the timer")
		}
		check(t, "1 ms after the limit", early, judge.Stale)
		if early.Changes != before.Changes+1 || early.StatusAge != time.Millisecond {
			t.Errorf("1 ms after the limit: got %d changes, status age %v; want %d, 1ms", early.Changes, early.StatusAge, before.Changes+1)
		}

		time.Sleep(time.Millisecond)
		s.tick()
		if got := s.current.Load().verdicts[judge.Readiness].Status; got != judge.NotServing {
			t.Fatalf("the timer published %v, want %v", got, judge.NotServing)
		}
		for _, tt := range []struct {
			name        string
			early, late Answer
		}{{"epg", early, lookup(r, "epg")}, {"", earlyOverall, lookup(r, "")}} {
			if want := tt.early.StatusAge + time.Millisecond; tt.late.Changes != tt.early.Changes || tt.late.StatusAge != want {
				t.Errorf("%q, published: got %d changes, status age %v; want %d, %v", tt.name, tt.late.Changes, tt.late.StatusAge, tt.early.Changes, want)
			}
		}
	})
}

// stopTimer stops the service's timer, as if it were very late.
func stopTimer(s *service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Stop()
}

// An answer has its own service's landmarks, as they were at its instant.
func TestLandmarksAreOfTheAnswersInstant(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.session.Declare([]judge.Declared{
			mainLoop,
			{Name: "feed", Kind: judge.KindAlive, Impact: judge.ImpactReadiness, Within: 200 * time.Millisecond},
		})
		facts := []Fact{{Reached: true, Count: 7, Lag: 3 * time.Millisecond}, {Reached: true, Age: 100 * time.Millisecond}}
		if err := epg.session.Report(facts, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(101 * time.Millisecond)
		a := lookup(r, "epg-liveness")
		time.Sleep(time.Second)
		facts[1].Age = 0
		if err := epg.session.Report(facts, 0); err != nil {
			t.Fatal(err)
		}

		got := a.Landmarks()
		if len(got) != 2 {
			t.Fatalf("got %d landmarks, want 2", len(got))
		}
		if l := got[0]; l.Name != "feed" || l.State != judge.Failing || l.Age != 201*time.Millisecond {
			t.Errorf("first landmark: got %s, %v, age %v; want feed, %v, 201ms", l.Name, l.State, l.Age, judge.Failing)
		}
		if l := got[1]; l.Name != "main" || l.State != judge.OK || l.Age != 101*time.Millisecond || l.Count != 7 || l.Lag != 3*time.Millisecond {
			t.Errorf("second landmark: got %s, %v, age %v, count %d, lag %v; want main, %v, 101ms, 7, 3ms", l.Name, l.State, l.Age, l.Count, l.Lag, judge.OK)
		}
		if n := len(lookup(r, "").Landmarks()) + len(lookup(r, "unknown").Landmarks()); n != 0 {
			t.Errorf("got %d landmarks of names that are not one service's, want 0", n)
		}
	})
}
