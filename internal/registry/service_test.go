package registry

import (
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// TestAnHourOfIdleness lets a program idle for an hour, its main loop answering
// four times a second. Nothing may ever be said against it.
func TestAnHourOfIdleness(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		news := r.Subscribe([]byte("epg"))
		defer news.Close()
		for range 4 * 60 * 60 {
			time.Sleep(250 * time.Millisecond)
			if a := look(r, "epg"); a.Status != judge.Serving || a.Weight != 100 {
				t.Fatalf("after %v it is %v: %s", r.clock.Awake(), a.Status, a.Reason())
			}
			// The command was put half a period ago, and answered in 1 ms.
			if err := epg.report(Fact{Reached: true, Open: true, Age: 124 * time.Millisecond}); err != nil {
				t.Fatal(err)
			}
		}
		if pending(news) {
			t.Error("there was news")
		}
		if a := look(r, "epg"); a.StatusAge != time.Hour {
			t.Errorf("it has stood for %v", a.StatusAge)
		}
	})
}

// TestLateReportTakesNothingBack holds that a report which was kept from
// being published until after time had changed the verdict, for another
// process's silence, does not change it back and again.
func TestLateReportTakesNothingBack(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		a, b := open(t, r, "epg", "a"), open(t, r, "epg", "b")
		a.pass()
		b.pass()
		s := (*r.services.Load())["epg"]
		live(1500*time.Millisecond, a)
		made := r.clock.Judged() // b is not stale yet
		time.Sleep(10 * time.Millisecond)
		before := look(r, "epg")
		if before.Cause != judge.Stale {
			t.Fatalf("it is %v, %q", before.Status, before.Cause)
		}
		if err := s.report(a.session, []Fact{{Reached: true}}, 0, made); err != nil {
			t.Fatal(err)
		}
		if after := look(r, "epg"); after.Changes != before.Changes || after.StatusAge != before.StatusAge {
			t.Errorf("changes became %d from %d, and it has stood %v, not %v", after.Changes, before.Changes, after.StatusAge, before.StatusAge)
		}
	})
}

// TestDeclareAnew holds that reports are of the landmarks declared last.
func TestDeclareAnew(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		feed := judge.Declared{Name: "feed", Kind: judge.KindAlive, Impact: judge.ImpactReadiness, Within: time.Second}
		epg.session.Declare([]judge.Declared{mainLoop, feed})
		if err := epg.session.Report([]Fact{{Reached: true}, {}}, 0); err != nil {
			t.Fatal(err)
		}
		if a := look(r, "epg"); a.Cause != judge.Starting || len(a.Landmarks()) != 2 {
			t.Errorf("with a landmark that is not reached it is %q, with %d landmarks", a.Cause, len(a.Landmarks()))
		}
		if a := look(r, "epg-startup"); a.Status != judge.Serving {
			t.Errorf("its start is undone: %v", a.Status)
		}
		defer func() {
			if recover() == nil {
				t.Error("a report that does not match the declaration is taken")
			}
		}()
		epg.session.Report([]Fact{{}}, 0)
	})
}
