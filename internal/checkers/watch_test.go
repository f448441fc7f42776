package checkers

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestWatchFollowsNameThatBecomesKnown checks that a watch counts once while its
// name is unknown, and once for the service after that.
func TestWatchFollowsNameThatBecomesKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		w := m.Watch(at("10.0.0.1"))
		for range 3 {
			w.Record(Check{Name: []byte("epg")})
		}
		if got := m.Unknown(); len(got) != 1 || got[0].Total != 1 {
			t.Errorf("while the name is unknown: %+v", got)
		}
		for range 3 {
			w.Record(about("epg"))
		}
		if got := onlyChecker(t, m); got.Watching != 1 || got.Total != 1 {
			t.Errorf("once it is known: %+v", got)
		}
		m.Retain(nil)
		w.Record(about("epg")) // the list was dropped, and is made again
		if got := onlyChecker(t, m); got.Watching != 1 {
			t.Errorf("dropped and recorded again: %+v", got)
		}
		w.End()
		w.End()
		time.Sleep(time.Second)
		if got := onlyChecker(t, m); got.Watching != 0 || got.SinceLast != time.Second {
			t.Errorf("after the end: %+v", got)
		}
	})
}
