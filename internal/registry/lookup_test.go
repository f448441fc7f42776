package registry

import (
	"fmt"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

func TestLookAllocatesNothing(t *testing.T) {
	r := New(clock.New(), 0)
	for i := range 10 {
		open(t, r, fmt.Sprintf("epg%d", i), "a").pass()
	}
	for _, name := range []string{"epg3", "epg3-liveness", "epg3-startup", "", "readiness", "liveness", "nobody"} {
		asked := []byte(name)
		if n := testing.AllocsPerRun(100, func() { r.Lookup(asked, time.Second) }); n != 0 {
			t.Errorf("looking for %q allocates %v times", name, n)
		}
	}
}

// TestLookKeepsNoName holds that who asked may write over the name at once.
func TestLookKeepsNoName(t *testing.T) {
	r := New(clock.New(), 0)
	open(t, r, "epg", "a").pass()
	asked := []byte("epg")
	a, _ := r.Lookup(asked, 0)
	copy(asked, "xxx")
	if got := look(r, "epg"); got.Status != judge.Serving || a.Status != judge.Serving || len(a.Landmarks()) != 1 {
		t.Errorf("epg is %v", got.Status)
	}
}

// TestLookFromBeforeTheReport holds that a reader who took the time, and then
// was kept from reading until after a report, finds its facts new rather than
// of the future.
func TestLookFromBeforeTheReport(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		time.Sleep(time.Second)
		earlier := r.clock.Judged()
		time.Sleep(100 * time.Millisecond)
		epg.pass()
		a := (*r.services.Load())["epg"].lookup(judge.Readiness, earlier, earlier)
		if a.Age != 0 || a.StatusAge < 0 || a.Landmarks()[0].Age != 0 {
			t.Errorf("the facts' age is %v, the landmark's %v, and the status has stood %v", a.Age, a.Landmarks()[0].Age, a.StatusAge)
		}
	})
}

// TestLookIsAheadOfTheTimer holds that a reader sees what time has changed
// before the timer has published it, and that the timer then counts the same.
func TestLookIsAheadOfTheTimer(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		s := (*r.services.Load())["epg"]
		due := s.current.Load().next
		time.Sleep(due.Sub(r.clock.Judged()) - 1)
		before := look(r, "epg")
		if before.Status != judge.Serving {
			t.Fatalf("a nanosecond before its time it is %v", before.Status)
		}

		// The timer is late.
		s.mu.Lock()
		s.timer.Stop()
		s.mu.Unlock()
		time.Sleep(time.Millisecond + 1)
		unpublished := s.current.Load()
		early, earlyOverall := look(r, "epg"), look(r, "")
		if s.current.Load() != unpublished || unpublished.verdicts[judge.Readiness].Status != judge.Serving {
			t.Fatal("the change is published already")
		}
		if early.Status != judge.NotServing || early.Cause != judge.Stale || early.Changes != before.Changes+1 || early.StatusAge != time.Millisecond {
			t.Errorf("past its time it is %v %q, stood %v, changes %d", early.Status, early.Cause, early.StatusAge, early.Changes)
		}

		time.Sleep(time.Millisecond)
		s.tick()
		if s.current.Load().verdicts[judge.Readiness].Status != judge.NotServing {
			t.Fatal("the timer has published nothing")
		}
		late, lateOverall := look(r, "epg"), look(r, "")
		if late.Changes != early.Changes || late.StatusAge != early.StatusAge+time.Millisecond {
			t.Errorf("once published it has stood %v and changes are %d, not %d", late.StatusAge, late.Changes, early.Changes)
		}
		if lateOverall.Changes != earlyOverall.Changes || lateOverall.StatusAge != earlyOverall.StatusAge+time.Millisecond {
			t.Errorf("over all services it then has stood %v and changes are %d, not %d", lateOverall.StatusAge, lateOverall.Changes, earlyOverall.Changes)
		}
	})
}

// TestLandmarks holds that an answer tells its own service's landmarks as they
// were when it was given.
func TestLandmarks(t *testing.T) {
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
		a := look(r, "epg-liveness")
		time.Sleep(time.Second)
		facts[1].Age = 0
		if err := epg.session.Report(facts, 0); err != nil {
			t.Fatal(err)
		}

		got := a.Landmarks()
		if len(got) != 2 {
			t.Fatalf("there are %d landmarks", len(got))
		}
		if l := got[0]; l.Name != "feed" || l.State != judge.Failing || l.Age != 201*time.Millisecond {
			t.Errorf("first is %s, %v, of %v", l.Name, l.State, l.Age)
		}
		if l := got[1]; l.Name != "main" || l.State != judge.OK || l.Age != 101*time.Millisecond || l.Count != 7 || l.Lag != 3*time.Millisecond {
			t.Errorf("second is %s, %v, of %v, passed %d times, lag %v", l.Name, l.State, l.Age, l.Count, l.Lag)
		}
		if n := len(look(r, "").Landmarks()) + len(look(r, "nobody").Landmarks()); n != 0 {
			t.Errorf("names that are of no one service have %d landmarks", n)
		}
	})
}
