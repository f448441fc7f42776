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

// TestRandomRestarts has processes of one service come and go, restarts the
// sidecar, and has some of them come back. It is never told to serve while one
// is missing that was there, or that was missed before.
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
			var expected []string // to be there for the service to serve
			vacant := false
			for _, m := range saved[0].Members {
				if m.State == MemberPresent {
					expected = append(expected, m.Instance)
				}
				vacant = vacant || m.State == MemberLost
			}

			after := New(clock, time.Second)
			after.Restore(saved, true)
			after.BeginGrace()
			if again, complete := after.Memberships(); !complete || !reflect.DeepEqual(again, saved) {
				t.Fatalf("seed %d: restored are %+v, of %+v", seed, again, saved)
			}
			back := map[string]*agent{}
			check := func(when string) {
				all := !slices.ContainsFunc(expected, func(name string) bool { return back[name] == nil })
				want := all && !vacant && !drained && len(expected) > 0
				a, settled := after.Lookup([]byte("epg"), 0)
				switch {
				case a.Status == judge.Serving && !want:
					t.Fatalf("seed %d, %s: it is told to serve (settled %v), with %v of %v back, a vacancy %v, drained %v", seed, when, settled, len(back), expected, vacant, drained)
				case want && a.Status != judge.Serving:
					t.Fatalf("seed %d, %s: it is %v, %s, and all of %v are back", seed, when, a.Status, a.Reason(), expected)
				case !settled && (want || !after.grace.holding()):
					t.Fatalf("seed %d, %s: it is not settled, and %v", seed, when, a.Status)
				case drained && all && !vacant && len(expected) > 0 && a.Cause != judge.Draining:
					t.Fatalf("seed %d, %s: it is %v, and drained", seed, when, a.Cause)
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
				check(fmt.Sprint("after ", name))
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

// TestRestartKeepsWhoStandsIn has a process join beside one that hangs, and then
// the sidecar restart twice. It replaces that one when it dies, be that before it
// is back, or then; but not if that one was well in between.
func TestRestartKeepsWhoStandsIn(t *testing.T) {
	hung := Fact{Reached: true, Age: time.Hour, Open: true}
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
					for pendingMembers(r) {
					}
					old.pass()
					if !pendingMembers(r) {
						t.Error("that nobody stands in any more is not to be written")
					}
				}
				for range 2 {
					saved, complete := r.Memberships()
					r = New(c, time.Second)
					r.Restore(saved, complete)
					r.BeginGrace()
				}
				fresh := open(t, r, "epg", "new")
				fresh.pass()
				if name != "dead" {
					old = open(t, r, "epg", "old")
					old.report(hung)
					if name == "healed" {
						old.pass()
						old.report(hung)
					}
					old.session.Disconnect()
				}
				live(1500*time.Millisecond, fresh)
				if a := look(r, "epg"); a.Cause != want {
					t.Errorf("it is %v, %q, %s; want %q", a.Status, a.Cause, a.Reason(), want)
				}
			})
		})
	}
}

// TestNamesMakeRoom has a user whose quota is full start one more service: the
// longest stopped one of its own goes, then the longest lost one, and no other
// user's.
func TestNamesMakeRoom(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		report := func(service string, uid uint32) (*agent, error) {
			a := &agent{t: t}
			if err := a.open(r, AgentID{Service: service, Instance: "a", UID: uid}, mainLoop); err != nil {
				return nil, err
			}
			return a, a.report(Fact{Reached: true})
		}
		for i, end := range []func(*Session){(*Session).Disconnect, (*Session).Goodbye, (*Session).Goodbye, (*Session).Disconnect} {
			for _, uid := range []uint32{1, 2} {
				a, err := report(fmt.Sprintf("idle%d-%d", i, uid), uid)
				if err != nil {
					t.Fatal(err)
				}
				end(a.session)
			}
			time.Sleep(time.Second)
		}
		fill(r, 1, MaxServicesPerUser-4)
		known := func() (idle []string) {
			for _, name := range r.Names() {
				if name[0] == 'i' {
					idle = append(idle, name)
				}
			}
			return idle
		}
		for i, gone := range []string{"idle1-1", "idle2-1", "idle0-1", "idle3-1"} {
			if _, err := report(fmt.Sprint("new", i), 1); err != nil {
				t.Errorf("new service %d: %v", i, err)
			}
			if slices.Contains(known(), gone) || len(known()) != 7-i {
				t.Errorf("after new service %d these are known: %v; want %s gone", i, known(), gone)
			}
			if a := look(r, gone); a.Status != judge.ServiceUnknown {
				t.Errorf("%s is %v", gone, a.Status)
			}
		}
		if _, err := report("one-more", 1); err == nil {
			t.Error("one more is taken, and all the others are there")
		}
		if _, err := report("idle1-2", 1); err == nil {
			t.Error("another user's stopped service is taken")
		}
	})
}
