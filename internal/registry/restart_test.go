package registry

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// restart returns a registry with this list of members, whose start grace of 1 s
// has just begun.
func restart(c *clock.Clock, members []Membership, complete bool) *Registry {
	r := New(c, time.Second)
	r.Restore(members, complete)
	r.BeginGrace()
	return r
}

// The sidecar restarts several times before its grace is over, at first without a
// list of members. One of two processes hangs and comes back late. No final answer is
// ever serving. The list is complete only after a whole grace.
func TestRestartsWithinTheGraceKeepTheListIncomplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		defer run(c)()
		var saved []Membership
		var complete bool
		for i := range 4 {
			r := restart(c, saved, complete)
			open(t, r, "epg", "healthy").pass()
			for _, name := range []string{"epg", "epg-liveness", ""} {
				if a, isFinal := r.Lookup([]byte(name), 0); a.Status == judge.Serving && isFinal {
					t.Errorf("start %d, %q: got a final answer, %v, before the hung process is back", i, name, a.Status)
				}
			}
			time.Sleep(300 * time.Millisecond)
			saved, complete = r.Memberships()
			if complete || len(saved) != 1 {
				t.Errorf("start %d: got members %+v, complete %v; want one service, complete false", i, saved, complete)
			}
			time.Sleep(time.Second) // this registry's grace ends, after what was saved
		}
		r := restart(c, saved, complete)
		open(t, r, "epg", "healthy").pass()
		open(t, r, "epg", "hung").report(hung)
		for received(r.MembersChanged()) {
		}
		check(t, "both are back", await(t, r, "epg", 0), judge.Stalled)
		time.Sleep(1100 * time.Millisecond)
		if !received(r.MembersChanged()) {
			t.Error("the end of the grace did not signal changed members")
		}
		if saved, complete = r.Memberships(); !complete || len(saved[0].Members) != 2 {
			t.Errorf("after the grace: got members %+v, complete %v; want two, complete true", saved, complete)
		}
	})
}

// Processes of one service come and go, the sidecar restarts, and some of them come
// back. No answer is serving while one is missing that was there or was missed
// before.
func TestRandomRestarts(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			clock := clock.New()
			defer run(clock)()
			before := New(clock, 0)
			agents := map[string]*agent{}
			for range 3 + rng.IntN(8) {
				name := string(rune('a' + rng.IntN(4)))
				switch a := agents[name]; {
				case a == nil:
					agents[name] = open(t, before, "epg", name)
					agents[name].pass()
				case rng.IntN(2) == 0:
					a.session.Goodbye()
					delete(agents, name)
				default:
					a.session.Disconnect()
					delete(agents, name)
				}
				time.Sleep(time.Duration(rng.IntN(50)) * time.Millisecond)
			}
			drained := rng.IntN(4) == 0
			if drained {
				before.Drain("epg", 0)
			}
			saved, _ := before.Memberships()
			var expected []string // instances without which the service does not serve
			vacant := false
			for _, m := range saved[0].Members {
				if m.State == MemberPresent {
					expected = append(expected, m.Instance)
				}
				vacant = vacant || m.State == MemberLost
			}

			after := restart(clock, saved, true)
			if again, complete := after.Memberships(); !complete || !reflect.DeepEqual(again, saved) {
				t.Fatalf("seed %d: got restored members %+v, complete %v; want %+v, true", seed, again, complete, saved)
			}
			back := map[string]*agent{}
			check := func(when string) {
				t.Helper()
				all := !slices.ContainsFunc(expected, func(name string) bool { return back[name] == nil })
				want := all && !vacant && !drained && len(expected) > 0
				a, isFinal := after.Lookup([]byte("epg"), 0)
				got := fmt.Sprintf("seed %d, %s: %d of %v back, a vacancy %v, drained %v: got %v, %v (%s), final %v",
					seed, when, len(back), expected, vacant, drained, a.Status, a.Cause, a.Reason(), isFinal)
				switch {
				case (a.Status == judge.Serving) != want:
					t.Fatalf("%s; want that it serves: %v", got, want)
				case !isFinal && (want || !after.grace.holding()):
					t.Fatalf("%s; want a final answer", got)
				case drained && all && !vacant && len(expected) > 0 && a.Cause != judge.Draining:
					t.Fatalf("%s; want %v", got, judge.Draining)
				}
			}
			check("at once")
			for i, name := range expected {
				time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
				if i < len(expected)-1 || rng.IntN(3) > 0 {
					back[name] = open(t, after, "epg", name)
				}
				for _, a := range back {
					a.pass()
				}
				check("after " + name)
			}
			for range 8 {
				time.Sleep(250 * time.Millisecond)
				for _, a := range back {
					a.pass()
				}
			}
			check("after the grace")
		})
		if t.Failed() {
			return
		}
	}
}

// A process joins beside one that hangs, and then the sidecar restarts twice. The
// process replaces the hung one when that dies, before it is back or after. It
// does not if the hung one was healthy in between.
func TestReplacementOutlivesRestarts(t *testing.T) {
	for name, want := range map[string]judge.Cause{"dead": judge.None, "back": judge.None, "healed": judge.Lost, "healed before": judge.Lost} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := clock.New()
				defer run(c)()
				r := New(c, 0)
				old := open(t, r, "epg", "old")
				old.report(hung)
				open(t, r, "epg", "new").pass()
				if name == "healed before" {
					for received(r.MembersChanged()) {
					}
					old.pass()
					if !received(r.MembersChanged()) {
						t.Error("the recovery did not signal changed members")
					}
				}
				for range 2 {
					saved, complete := r.Memberships()
					r = restart(c, saved, complete)
				}
				replacement := open(t, r, "epg", "new")
				replacement.pass()
				if name != "dead" {
					old = open(t, r, "epg", "old")
					old.report(hung)
					if name == "healed" {
						old.pass()
						old.report(hung)
					}
					old.session.Disconnect()
				}
				passFor(1500*time.Millisecond, replacement)
				if a := lookup(r, "epg"); a.Cause != want {
					t.Errorf("got %v, %v (%s); want %v", a.Status, a.Cause, a.Reason(), want)
				}
			})
		})
	}
}
