package registry

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// The timer is late. What a reader finds of all services stays counted, even if a
// report ends the failure before the timer has published it.
func TestOverallTakesNoChangeBack(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		stopTimer(r.service("epg"))
		time.Sleep(2 * time.Second)
		stale := lookup(r, "")
		if stale.Cause != judge.Stale || stale.Changes != 2 {
			t.Fatalf("silent: got %v, %d changes; want %v, 2", stale.Cause, stale.Changes, judge.Stale)
		}
		time.Sleep(time.Second)
		if again := lookup(r, ""); again.Changes != 2 || again.StatusAge != time.Second {
			t.Errorf("a second later: got %d changes, status age %v; want 2, 1s", again.Changes, again.StatusAge)
		}
		epg.pass()
		if healed := lookup(r, ""); healed.Status != judge.Serving || healed.Changes != 3 {
			t.Errorf("reported again: got %v, %d changes; want %v, 3", healed.Status, healed.Changes, judge.Serving)
		}
	})
}

// Many services report for the first time at once. The answer about all of them
// then stays the same.
func TestOverallSettlesAfterASimultaneousStart(t *testing.T) {
	for round := range 50 {
		inBubble(t, 0, func(t *testing.T, r *Registry) {
			var starts sync.WaitGroup
			for i := range 8 {
				epg := open(t, r, fmt.Sprintf("epg%d", i), "a")
				starts.Go(func() {
					for _, reached := range []bool{round%2 == 0, i%4 != round%4} {
						if err := epg.report(Fact{Reached: reached}); err != nil {
							t.Error(err)
						}
					}
				})
			}
			starts.Wait()
			time.Sleep(time.Millisecond)
			before := lookup(r, "")
			time.Sleep(time.Millisecond)
			after := lookup(r, "")
			check(t, "all services", after, judge.Starting)
			if before.StatusAge < time.Millisecond || after.Changes != before.Changes || after.StatusAge != before.StatusAge+time.Millisecond {
				t.Errorf("got %d changes, status age %v; want %d, 1ms more than %v", after.Changes, after.StatusAge, before.Changes, before.StatusAge)
			}
		})
	}
}

// The answer about all services has the greatest age, the sum of the failing
// landmarks, and the weight of all.
func TestOverallCombinesAgesFailuresAndWeights(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		for i := range 3 {
			open(t, r, fmt.Sprintf("epg%d", i), "a").mustReport(Fact{Reached: true, Open: i > 0, Age: time.Duration(i) * 1500 * time.Millisecond})
		}
		a := lookup(r, "")
		if a.Cause != judge.Stalled || a.Failing != 2 || a.Weight != 0 || a.Age != 3*time.Second {
			t.Errorf("got %v, %d landmarks failing, weight %d, age %v; want %v, 2, 0, 3s", a.Cause, a.Failing, a.Weight, a.Age, judge.Stalled)
		}
		if want := "epg1: main last answered 1.5 s ago, allowed 1 s"; a.Reason() != want {
			t.Errorf("got reason %q, want %q", a.Reason(), want)
		}
	})
}

// Services change while a worker evaluates. No change causes an evaluation of its
// own. A reader finds all changes, and watchers are woken once, after the last.
func TestOverallEvaluatesManyChangesAtOnce(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		open(t, r, "lasting", "a").pass()
		synctest.Wait()
		sub := r.Subscribe(nil)
		defer sub.Close()
		o := &r.overall
		o.state.Store(working)
		before := o.verdicts.Load()
		for i := range 100 {
			open(t, r, fmt.Sprintf("epg%d", i), "a").pass()
		}
		if o.verdicts.Load() != before {
			t.Error("the changes were evaluated one by one")
		}
		if received(sub.Changed()) {
			t.Error("watchers were woken before the evaluation")
		}
		open(t, r, "failing", "a").report(Fact{Reached: true, Open: true, Age: time.Minute})
		if a := lookup(r, ""); a.Cause != judge.Stalled || a.Changes != 2 {
			t.Errorf("a reader: got %v, %d changes; want %v, 2", a.Cause, a.Changes, judge.Stalled)
		}
		o.work()
		if !received(sub.Changed()) {
			t.Error("watchers were not woken after the evaluation")
		}
		if got := o.state.Load(); got != clean {
			t.Errorf("got state %d, want clean (%d)", got, clean)
		}
	})
}

// Services change all at once. The watchers of all services are woken after the last
// change, and no worker is left.
func TestOverallWakesAfterTheLastChange(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		sub := r.Subscribe(nil)
		defer sub.Close()
		var latest atomic.Int32 // status that the watcher found
		over := make(chan struct{})
		defer close(over)
		go func() {
			for {
				select {
				case <-sub.Changed():
					latest.Store(int32(lookup(r, "").Status))
				case <-over:
					return
				}
			}
		}()
		for round := range 100 {
			var agents sync.WaitGroup
			for i := range 8 {
				epg := open(t, r, fmt.Sprintf("epg%d", i), "a")
				agents.Go(func() {
					late := Fact{Reached: true, Open: true, Age: time.Minute}
					for _, f := range []Fact{passed, late, passed, late} {
						if err := epg.report(f); err != nil {
							t.Error(err)
						}
					}
					if round%2 == 0 {
						epg.pass()
					}
				})
			}
			agents.Wait()
			synctest.Wait()
			want := [2]judge.Status{judge.Serving, judge.NotServing}[round%2]
			if got := judge.Status(latest.Load()); got != want {
				t.Fatalf("round %d: the watcher found %v last, want %v", round, got, want)
			}
			if got := r.overall.state.Load(); got != clean {
				t.Fatalf("round %d: got state %d, want clean (%d)", round, got, clean)
			}
		}
	})
}
