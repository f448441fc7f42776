package registry

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// TestPauseMakesNobodyStale plays a pause with two agents: of one, reports lie
// in the socket, and the other froze meanwhile.
func TestPauseMakesNobodyStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		c.AddSource()
		stop := run(c)
		r := New(c, 0)
		epg, frozen := open(t, r, "epg", "a"), open(t, r, "frozen", "a")
		epg.pass()
		frozen.pass()
		news := r.Subscribe([]byte("epg"))
		defer news.Close()
		live(time.Second, epg, frozen)
		stop()
		time.Sleep(time.Hour)

		epg.unread.Store(true)
		defer run(c)()
		time.Sleep(100 * time.Millisecond) // the intake is slow to read its sockets
		if a := look(r, "epg"); a.Status != judge.Serving {
			t.Errorf("after a pause of the sidecar epg is %v: %s", a.Status, a.Reason())
		}
		if _, settled := r.Lookup([]byte("epg"), 0); settled {
			t.Error("before its sockets are read, the sidecar takes what it remembers for the truth")
		}
		epg.pass()
		epg.unread.Store(false)
		live(maxReportInterval/2, epg)
		for _, want := range []struct {
			service string
			cause   judge.Cause
		}{{"epg", judge.None}, {"frozen", judge.Stale}} {
			a, err := r.Await(t.Context(), []byte(want.service), 0)
			if err != nil || a.Cause != want.cause {
				t.Errorf("the first answer about %s is %v, %q, %v; want %q", want.service, a.Status, a.Cause, err, want.cause)
			}
		}
		select {
		case <-news.Changed():
			t.Error("the pause was news")
		default:
		}
	})
}
