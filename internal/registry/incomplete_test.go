package registry

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// TestRestartsWithinTheGrace restarts the sidecar again and again before its
// grace is over, the first time without knowing who was there. One of two
// processes hangs, and comes back late: the service is never told to serve. What
// is remembered counts as complete only once a grace was lived through.
func TestRestartsWithinTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		defer run(c)()
		var saved []Membership
		var complete bool
		for i := range 4 {
			r := New(c, time.Second)
			r.Restore(saved, complete)
			r.BeginGrace()
			open(t, r, "epg", "well").pass()
			for _, name := range []string{"epg", "epg-liveness", ""} {
				if a, settled := r.Lookup([]byte(name), 0); a.Status == judge.Serving && settled {
					t.Errorf("start %d: %q is told to serve, and a process that hangs is not back", i, name)
				}
			}
			time.Sleep(300 * time.Millisecond)
			saved, complete = r.Memberships()
			if complete || len(saved) != 1 {
				t.Errorf("start %d: %+v are remembered, complete %v", i, saved, complete)
			}
			time.Sleep(time.Second) // the grace of one that goes on ends, and that is to be written
		}
		r := New(c, time.Second)
		r.Restore(saved, complete)
		r.BeginGrace()
		open(t, r, "epg", "well").pass()
		hung := open(t, r, "epg", "hung")
		hung.report(Fact{Reached: true, Age: time.Hour, Open: true})
		for pendingMembers(r) {
		}
		if a := ask(t, r, "epg", 0); a.Cause != judge.Stalled {
			t.Errorf("once both are back it is %v, %q", a.Status, a.Cause)
		}
		time.Sleep(1100 * time.Millisecond)
		if !pendingMembers(r) {
			t.Error("that the grace is over is not to be written")
		}
		if saved, complete = r.Memberships(); !complete || len(saved[0].Members) != 2 {
			t.Errorf("after the grace %+v are remembered, complete %v", saved, complete)
		}
	})
}

func pendingMembers(r *Registry) bool {
	select {
	case <-r.MembersChanged():
		return true
	default:
		return false
	}
}

// TestIncompleteIsNotTold has a sidecar start without knowing who was there. A
// process that comes back late makes the service serve: nobody is told before
// that it does not. Where nothing could make it serve, everybody is at once.
func TestIncompleteIsNotTold(t *testing.T) {
	wedged := Fact{Reached: true, Age: time.Hour, Open: true}
	well := Fact{Reached: true}
	for name, tt := range map[string]struct {
		quorum   judge.Quorum
		first    Fact
		draining bool // the first
		status   judge.Status
		cause    judge.Cause
		waits    bool
	}{
		"two are enough":               {judge.Quorum{AtLeast: 2}, well, false, judge.Serving, judge.None, true},
		"one is enough, wedged":        {judge.Any, wedged, false, judge.Serving, judge.None, true},
		"one is enough, draining":      {judge.Any, well, true, judge.Serving, judge.None, true},
		"one is enough":                {judge.Any, well, false, judge.Serving, judge.None, false},
		"all are needed, one draining": {judge.All, well, true, judge.Serving, judge.None, true},
		"all are needed, one wedged":   {judge.All, wedged, false, judge.NotServing, judge.Stalled, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, asked := range []string{"epg", ""} {
				synctest.Test(t, func(t *testing.T) {
					c := clock.New()
					r := New(c, time.Second)
					r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.Quorum = tt.quorum })}, nil)
					r.BeginGrace()
					defer run(c)()
					first, late := open(t, r, "epg", "first"), 400*time.Millisecond
					first.session.Drain(tt.draining)
					first.report(tt.first)
					time.AfterFunc(late, func() { open(t, r, "epg", "late").pass() })
					time.AfterFunc(900*time.Millisecond, func() { first.report(tt.first) })
					begun := time.Now()
					a := ask(t, r, asked, 0)
					if waited := time.Since(begun) > 0; a.Status != tt.status || a.Cause != tt.cause || asked != "" && waited != tt.waits {
						t.Errorf("%q is %v, %q, %s after %v", asked, a.Status, a.Cause, a.Reason(), time.Since(begun))
					}
				})
			}
		})
	}
}

// TestFallInTheGraceIsTold has a service whose one process is enough served, and
// then that process lost, while others may be coming back, known or not: who was
// told that it serves is told so at once.
func TestFallInTheGraceIsTold(t *testing.T) {
	for _, known := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			r := New(c, time.Second)
			r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.Quorum = judge.Any })}, nil)
			if known {
				r.Restore([]Membership{{Service: "epg", Owned: true, UID: 1000, Members: []Member{{Instance: "a"}, {Instance: "b"}}}}, true)
			}
			r.BeginGrace()
			defer run(c)()
			if now, settled := r.Lookup([]byte("epg"), 0); settled {
				t.Errorf("known %v: before anybody is back it is %v", known, now.Status)
			}
			a := open(t, r, "epg", "a")
			a.pass()
			if now := ask(t, r, "epg", 0); now.Status != judge.Serving {
				t.Errorf("known %v: it is %v", known, now.Status)
			}
			a.session.Disconnect()
			for _, name := range []string{"epg", "epg-liveness"} {
				if now, settled := r.Lookup([]byte(name), 0); now.Status != judge.NotServing || !settled {
					t.Errorf("known %v: %s is %v, settled %v", known, name, now.Status, settled)
				}
			}
		})
	}
}

// TestArrivalsExtendTheUnknown has one of two processes connect at once and hang,
// which it can report only after the grace. Nothing says who was there: while it
// is arriving the other is not taken for all there are, nor remembered as that.
func TestArrivalsExtendTheUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		r := New(c, time.Second)
		r.BeginGrace()
		defer run(c)()
		arrived := r.ExpectReport(1000)
		first, other := open(t, r, "epg", "first"), &agent{t: t}
		if err := other.open(r, AgentID{Service: "other", Instance: "a", UID: 1001}, mainLoop); err != nil {
			t.Fatal(err)
		}
		for range 7 {
			first.pass()
			other.pass()
			time.Sleep(250 * time.Millisecond)
			if now, settled := r.Lookup([]byte("epg"), 0); now.Status == judge.Serving && settled {
				t.Fatal("it is told to serve while a process that hangs is arriving")
			}
			if _, complete := r.Memberships(); complete {
				t.Fatal("who is back is remembered as all there are")
			}
		}
		if now := ask(t, r, "other", 0); now.Status != judge.Serving {
			t.Errorf("another user's service is %v", now.Status)
		}
		hung := open(t, r, "epg", "hung")
		hung.report(Fact{Reached: true, Age: time.Hour, Open: true})
		arrived()
		first.pass()
		if now := ask(t, r, "epg", 0); now.Cause != judge.Stalled {
			t.Errorf("once both are back it is %v, %q", now.Status, now.Cause)
		}
		time.Sleep(100 * time.Millisecond)
		if _, complete := r.Memberships(); !complete {
			t.Error("after the grace what is remembered is not complete")
		}
	})
}

// TestArrivalsExtendTheUnknownBeforeAnyReport has nobody report before the grace
// is over but another user's, and two processes of one user arrive, of which one
// hangs. The other reports first: of a service that was not known by then, or was
// only configured, it is not taken for all there are either.
func TestArrivalsExtendTheUnknownBeforeAnyReport(t *testing.T) {
	for _, configured := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			r := New(c, time.Second)
			if configured {
				r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.Quorum = judge.All })}, nil)
			}
			r.BeginGrace()
			defer run(c)()
			arrived := r.ExpectReport(1000)
			other := &agent{t: t}
			if err := other.open(r, AgentID{Service: "other", Instance: "a", UID: 1001}, mainLoop); err != nil {
				t.Fatal(err)
			}
			for range 6 {
				other.pass()
				if now, settled := r.Lookup(nil, 0); now.Status == judge.Serving && settled {
					t.Fatalf("configured %v: all are told to serve while others are arriving", configured)
				}
				time.Sleep(200 * time.Millisecond)
			}
			other.pass()
			if now := ask(t, r, "other", 0); now.Status != judge.Serving {
				t.Errorf("configured %v: another user's service is %v", configured, now.Status)
			}
			first := open(t, r, "epg", "first")
			time.Sleep(2 * clock.Beat) // it has said whose it is, and does not report at once
			for range 3 {
				first.pass()
				other.pass()
				for _, name := range []string{"epg", "epg-liveness", ""} {
					if now, settled := r.Lookup([]byte(name), 0); now.Status == judge.Serving && settled {
						t.Fatalf("configured %v: %q is told to serve while a process that hangs is arriving", configured, name)
					}
				}
				if _, complete := r.Memberships(); complete {
					t.Fatalf("configured %v: who is back is remembered as all there are", configured)
				}
				time.Sleep(250 * time.Millisecond)
			}
			first.pass()
			open(t, r, "epg", "hung").report(Fact{Reached: true, Age: time.Hour, Open: true})
			arrived()
			if now := ask(t, r, "epg", 0); now.Cause != judge.Stalled {
				t.Errorf("configured %v: once both are back it is %v, %q", configured, now.Status, now.Cause)
			}
			time.Sleep(100 * time.Millisecond)
			if _, complete := r.Memberships(); !complete {
				t.Errorf("configured %v: after the grace what is remembered is not complete", configured)
			}
		})
	}
}
