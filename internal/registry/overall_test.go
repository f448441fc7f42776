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

// TestOverallTakesNoChangeBack holds that what a reader was told over all
// services stays counted, though the timer was late to publish it and a report
// has healed it by then.
func TestOverallTakesNoChangeBack(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		s := (*r.services.Load())["epg"]
		s.mu.Lock()
		s.timer.Stop()
		s.mu.Unlock()
		time.Sleep(2 * time.Second)
		stale := look(r, "")
		if stale.Cause != judge.Stale || stale.Changes != 2 {
			t.Fatalf("it is %q after %d changes", stale.Cause, stale.Changes)
		}
		time.Sleep(time.Second)
		if again := look(r, ""); again.Changes != 2 || again.StatusAge != time.Second {
			t.Errorf("a second later changes are %d, and it has stood %v", again.Changes, again.StatusAge)
		}
		epg.pass()
		if healed := look(r, ""); healed.Status != judge.Serving || healed.Changes != 3 {
			t.Errorf("healed it is %v after %d changes", healed.Status, healed.Changes)
		}
	})
}

// TestOverallOfASimultaneousStart lets many services report for the first time
// at once, and holds that what is told over all of them comes to rest.
func TestOverallOfASimultaneousStart(t *testing.T) {
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
			before := look(r, "")
			time.Sleep(time.Millisecond)
			after := look(r, "")
			if after.Status != judge.NotServing || after.Cause != judge.Starting {
				t.Errorf("it is %v, %q", after.Status, after.Cause)
			}
			if after.Changes != before.Changes || after.StatusAge != before.StatusAge+time.Millisecond || before.StatusAge < time.Millisecond {
				t.Errorf("it has stood %v, a millisecond later %v", before.StatusAge, after.StatusAge)
			}
		})
	}
}

// TestOverallCounts holds that the ages, the failing landmarks and the weight
// of all services are told together.
func TestOverallCounts(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		for i := range 3 {
			epg := open(t, r, fmt.Sprintf("epg%d", i), "a")
			if err := epg.report(Fact{Reached: true, Open: i > 0, Age: time.Duration(i) * 1500 * time.Millisecond}); err != nil {
				t.Fatal(err)
			}
		}
		a := look(r, "")
		if a.Cause != judge.Stalled || a.Failing != 2 || a.Weight != 0 || a.Age != 3*time.Second {
			t.Errorf("it is %q, %d landmarks failing, weight %d, age %v", a.Cause, a.Failing, a.Weight, a.Age)
		}
		if want := "epg1: main last answered 1.5 s ago, allowed 1 s"; a.Reason() != want {
			t.Errorf("the reason is %q, want %q", a.Reason(), want)
		}
	})
}

// TestOverallEvaluatesChangesTogether plays a worker that is at it while
// services change: none of them has all services evaluated for itself, a reader
// is told of them all the same, and watchers are woken once, after the last.
func TestOverallEvaluatesChangesTogether(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		open(t, r, "lasting", "a").pass()
		synctest.Wait()
		news := r.Subscribe(nil)
		defer news.Close()
		o := &r.overall
		o.state.Store(working)
		before := o.verdicts.Load()
		for i := range 100 {
			open(t, r, fmt.Sprintf("epg%d", i), "a").pass()
		}
		if o.verdicts.Load() != before {
			t.Error("they were evaluated one by one")
		}
		if pending(news) {
			t.Error("news was told before it was evaluated")
		}
		failing := open(t, r, "failing", "a")
		failing.report(Fact{Reached: true, Open: true, Age: time.Minute})
		if a := look(r, ""); a.Cause != judge.Stalled || a.Changes != 2 {
			t.Errorf("a reader is told %q after %d changes", a.Cause, a.Changes)
		}
		o.work()
		if !pending(news) {
			t.Error("the watchers were not woken")
		}
		if o.state.Load() != clean {
			t.Error("changes are left")
		}
	})
}

// TestOverallComesToRest lets services change all at once, and holds that the
// watchers of all are woken after the last change, and no worker is left.
func TestOverallComesToRest(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		news := r.Subscribe(nil)
		defer news.Close()
		var serving atomic.Int32
		over := make(chan struct{})
		defer close(over)
		go func() {
			for {
				select {
				case <-news.Changed():
					serving.Store(int32(look(r, "").Status))
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
					for _, f := range []Fact{{Reached: true}, late, {Reached: true}, late} {
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
			if got := judge.Status(serving.Load()); got != want {
				t.Fatalf("in round %d the watcher was last woken for %v, want %v", round, got, want)
			}
			if r.overall.state.Load() != clean {
				t.Fatal("changes are left")
			}
		}
	})
}
