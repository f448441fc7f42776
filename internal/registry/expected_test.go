package registry

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// TestArrivalsExtendTheGrace has one of two processes connect at once and report
// only after the grace: it is no more lost than unknown before. Another user's
// service, and one that stays silent, are not awaited any longer.
func TestArrivalsExtendTheGrace(t *testing.T) {
	for _, reports := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			r := New(c, time.Second)
			r.Restore([]Membership{
				{Service: "epg", Owned: true, UID: 1000, Members: []Member{{Instance: "a"}, {Instance: "b"}}},
				{Service: "other", Owned: true, UID: 1001, Members: []Member{{Instance: "a"}}},
			}, true)
			r.BeginGrace()
			defer run(c)()
			began := time.Now()
			arrived := r.ExpectReport(1000) // the connection of one that has not said hello
			a := open(t, r, "epg", "a")
			a.pass()
			if other := ask(t, r, "other", 0); other.Cause != judge.Lost || time.Since(began) != time.Second {
				t.Errorf("another user's is %v after %v", other.Cause, time.Since(began))
			}
			a.pass()
			for _, name := range []string{"epg", "epg-liveness"} {
				if told, settled := r.Lookup([]byte(name), 0); settled || told.Status == judge.Serving {
					t.Errorf("%s is told to be %v, settled %v", name, told.Status, settled)
				}
			}
			want, after := judge.Lost, 3*time.Second
			if reports {
				want, after = judge.None, 1500*time.Millisecond
				time.AfterFunc(500*time.Millisecond, func() {
					open(t, r, "epg", "b").pass()
					arrived()
				})
			}
			go func() {
				for range 8 {
					time.Sleep(250 * time.Millisecond)
					a.pass()
				}
			}()
			told := ask(t, r, "epg", 0)
			if took := time.Since(began); told.Cause != want || took < after || took > after+clock.MaxGap {
				t.Errorf("reports %v: it is %v, %s after %v; want %v after %v", reports, told.Status, told.Cause, took, want, after)
			}
			time.Sleep(3 * time.Second)
			if r.grace.extended() || r.grace.holding() {
				t.Error("the grace goes on")
			}
			arrived()
			if n := r.expected.Total(); n > 0 {
				t.Errorf("%d reports are still expected, want 0", n)
			}
		})
	}
}
