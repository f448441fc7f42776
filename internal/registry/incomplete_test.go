package registry

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// The sidecar starts without a list of the processes that were there. If a process
// that comes back late could make the service serve, no answer before says that it
// does not. If none could, the answer is final at once.
func TestFailureIsProvisionalWhileInstancesMayBeMissing(t *testing.T) {
	for name, tt := range map[string]struct {
		quorum   judge.Quorum
		first    Fact
		draining bool // the first
		cause    judge.Cause
		waits    bool
	}{
		"two are enough":               {judge.Quorum{AtLeast: 2}, passed, false, judge.None, true},
		"one is enough, hung":          {judge.Any, hung, false, judge.None, true},
		"one is enough, draining":      {judge.Any, passed, true, judge.None, true},
		"one is enough":                {judge.Any, passed, false, judge.None, false},
		"all are needed, one draining": {judge.All, passed, true, judge.None, true},
		"all are needed, one hung":     {judge.All, hung, false, judge.Stalled, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, name := range []string{"epg", ""} {
				synctest.Test(t, func(t *testing.T) {
					c := clock.New()
					r := New(c, time.Second)
					r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.Quorum = tt.quorum })}, nil)
					r.BeginGrace()
					defer run(c)()
					first := open(t, r, "epg", "first")
					first.session.Drain(tt.draining)
					first.report(tt.first)
					time.AfterFunc(400*time.Millisecond, func() { open(t, r, "epg", "late").pass() })
					time.AfterFunc(900*time.Millisecond, func() { first.report(tt.first) })
					began := time.Now()
					check(t, name, await(t, r, name, 0), tt.cause)
					if took := time.Since(began); name != "" && (took > 0) != tt.waits {
						t.Errorf("%q: the answer took %v, want that it waits: %v", name, took, tt.waits)
					}
				})
			}
		})
	}
}

// checkNotServing fails the test if a final answer about a name is serving, or if the
// list of members counts as complete: a process that hangs has not reported yet.
func checkNotServing(t *testing.T, when string, r *Registry, names ...string) {
	t.Helper()
	for _, name := range names {
		if a, isFinal := r.Lookup([]byte(name), 0); a.Status == judge.Serving && isFinal {
			t.Fatalf("%s, %q: got a final answer, %v, want none that is serving", when, name, a.Status)
		}
	}
	if _, complete := r.Memberships(); complete {
		t.Fatalf("%s: got a complete list of members, want an incomplete one", when)
	}
}

// checkBothBack fails the test unless epg is stalled, by a process that has just
// reported, and the list of members is complete soon.
func checkBothBack(t *testing.T, when string, r *Registry) {
	t.Helper()
	check(t, when+", both are back", await(t, r, "epg", 0), judge.Stalled)
	time.Sleep(100 * time.Millisecond)
	if _, complete := r.Memberships(); !complete {
		t.Errorf("%s, after the grace: got an incomplete list of members, want a complete one", when)
	}
}

// The sidecar does not know who was there. One of two processes connects at once and
// hangs, so that it can report only after the grace. Meanwhile the other one is
// not taken for the only one.
func TestUnknownInstancesAreAwaitedWhileAReportIsExpected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		r := New(c, time.Second)
		r.BeginGrace()
		defer run(c)()
		reported := r.ExpectReport(1000)
		first := open(t, r, "epg", "first")
		other := openAs(t, r, AgentID{Service: "other", Instance: "a", UID: 1001})
		for range 7 {
			first.pass()
			other.pass()
			time.Sleep(250 * time.Millisecond)
			checkNotServing(t, "while a report is expected", r, "epg")
		}
		check(t, "another user's service", await(t, r, "other", 0), judge.None)
		open(t, r, "epg", "hung").report(hung)
		reported()
		first.pass()
		checkBothBack(t, "reported", r)
	})
}

// Only another user's process reports before the grace is over. Two processes of a
// user connect, and one of them hangs. The other reports first, of a service that
// was unknown until then or only configured. It is not taken for the only one either.
func TestUnknownInstancesAreAwaitedBeforeTheFirstReport(t *testing.T) {
	for _, configured := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			when := fmt.Sprintf("configured %v", configured)
			c := clock.New()
			r := New(c, time.Second)
			if configured {
				r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.Quorum = judge.All })}, nil)
			}
			r.BeginGrace()
			defer run(c)()
			reported := r.ExpectReport(1000)
			other := openAs(t, r, AgentID{Service: "other", Instance: "a", UID: 1001})
			for range 6 {
				other.pass()
				checkNotServing(t, when+", before the first report", r, "")
				time.Sleep(200 * time.Millisecond)
			}
			other.pass()
			check(t, when+", another user's service", await(t, r, "other", 0), judge.None)
			first := open(t, r, "epg", "first")
			time.Sleep(2 * clock.Beat) // its session is open, and it does not report at once
			for range 3 {
				first.pass()
				other.pass()
				checkNotServing(t, when+", after the first report", r, "epg", "epg-liveness", "")
				time.Sleep(250 * time.Millisecond)
			}
			first.pass()
			open(t, r, "epg", "hung").report(hung)
			reported()
			checkBothBack(t, when, r)
		})
	}
}
