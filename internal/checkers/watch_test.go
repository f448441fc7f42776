package checkers

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestWatchOfANameThatBecomesKnown holds that a watch is one for as long as it
// lasts, of whatever the name is meanwhile.
func TestWatchOfANameThatBecomesKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		w := m.Watch(at("10.0.0.1"))
		for range 3 {
			w.Record(Check{Name: []byte("epg")})
		}
		if told := m.Unknown(); len(told) != 1 || told[0].Total != 1 {
			t.Errorf("of an unknown name: %+v", told)
		}
		for range 3 {
			w.Record(about("epg"))
		}
		if told := onlyChecker(t, m); told.Watching != 1 || told.Total != 1 {
			t.Errorf("of a known one: %+v", told)
		}
		m.Retain(nil)
		w.Record(about("epg")) // it is there again
		if told := onlyChecker(t, m); told.Watching != 1 {
			t.Errorf("forgotten and known again: %+v", told)
		}
		w.End()
		w.End()
		time.Sleep(time.Second)
		if told := onlyChecker(t, m); told.Watching != 0 || told.SinceLast != time.Second {
			t.Errorf("ended: %+v", told)
		}
	})
}
