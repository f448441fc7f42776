package registry

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// A service changes more often than changes are kept.
func TestHistoryKeepsTheLastChanges(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		a := open(t, r, "epg", "a")
		a.pass()
		for range MaxChanges {
			a.report(Fact{Reached: true, Open: true, Age: 2 * mainLoop.Within})
			passFor(mainLoop.Within, a)
		}
		changes, _ := r.History("epg")
		if len(changes) != MaxChanges {
			t.Fatalf("got %d changes, want %d", len(changes), MaxChanges)
		}
		for i, c := range changes {
			want := judge.Stalled
			if i%2 == 1 {
				want = judge.None
			}
			if got := c.Verdicts[judge.Readiness].Cause; got != want {
				t.Errorf("change %d: got cause %v, want %v", i, got, want)
			}
			if i > 0 && c.Age > changes[i-1].Age {
				t.Errorf("change %d: got age %v, want at most %v, that of the change before", i, c.Age, changes[i-1].Age)
			}
		}
	})
}

// More landmarks are not OK than are kept with a change.
func TestHistoryKeepsTheWorstLandmarks(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		a := open(t, r, "epg", "a")
		var declared []judge.Declared
		for _, name := range []string{"a", "b", "c", "d", "e", "failing"} {
			declared = append(declared, judge.Declared{Name: name, Kind: judge.KindLevel, Impact: judge.ImpactReadiness, Limits: judge.Limits{DegradeAt: 1, FailAt: 3}})
		}
		a.session.Declare(declared)
		facts := make([]Fact, len(declared))
		for i := range facts {
			facts[i] = Fact{Reached: true, Value: 2}
		}
		facts[5].Value = 4
		if err := a.session.Report(facts, 0); err != nil {
			t.Fatal(err)
		}
		changes, _ := r.History("epg")
		got := changes[len(changes)-1].Landmarks
		if len(got) != maxChangeLandmarks || got[0].Name != "failing" || got[0].State != judge.Failing || got[1].State != judge.Degraded {
			t.Errorf("got %+v; want %d landmarks, the failing one first, then degraded ones", got, maxChangeLandmarks)
		}
	})
}

// flap makes a service of the user change twice as often as is kept, with long
// reasons.
func flap(t *testing.T, r *Registry, service string, uid uint32) {
	t.Helper()
	a := openAs(t, r, AgentID{Service: service, Instance: "a", UID: uid})
	var declared []judge.Declared
	for i := range 4 {
		name := fmt.Sprint(i, strings.Repeat("n", 120))
		declared = append(declared, judge.Declared{Name: name, Kind: judge.KindCondition, Impact: judge.ImpactCritical})
	}
	a.session.Declare(declared)
	for change := range 2 * MaxChanges {
		facts := make([]Fact, len(declared))
		for i := range facts {
			facts[i] = Fact{Reached: true, Met: change%2 == 0, Reason: fmt.Sprintf("%5d%250d", change, i)}
		}
		if err := a.session.Report(facts, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// historySizes returns how many bytes of text the histories of the services s0, s1
// and so on hold together, and the smallest number of changes of one.
func historySizes(r *Registry, services int) (bytes, fewest int) {
	fewest = MaxChanges
	for i := range services {
		changes, _ := r.History(fmt.Sprint("s", i))
		fewest = min(fewest, len(changes))
		for _, c := range changes {
			bytes += len(c.Verdicts[judge.Readiness].Reason)
			for _, r := range c.Landmarks {
				bytes += len(r.Name) + len(r.Reason)
			}
		}
	}
	return bytes, fewest
}

func TestHistoryOfOneUserIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(clock.New(), 0)
		const services = 150
		for i := range services {
			flap(t, r, fmt.Sprint("s", i), 1000)
		}
		bytes, fewest := historySizes(r, services)
		if bytes > 4<<20 || fewest < 1 {
			t.Errorf("one user: got %d bytes, and %d changes of some service; want at most %d, at least 1", bytes, fewest, 4<<20)
		}
		flap(t, r, "other", 1001)
		if changes, _ := r.History("other"); len(changes) != MaxChanges {
			t.Errorf("another user: got %d changes, want %d", len(changes), MaxChanges)
		}
	})
}

func TestHistoryOfAllUsersIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(clock.New(), 0)
		const users, each = 6, 40
		for i := range users * each {
			flap(t, r, fmt.Sprint("s", i), 1000+uint32(i%users))
		}
		if bytes, _ := historySizes(r, users*each); bytes > 12<<20 {
			t.Errorf("all users: got %d bytes, want at most %d", bytes, 12<<20)
		}
		flap(t, r, "calm", 2000)
		if changes, _ := r.History("calm"); len(changes) != MaxChanges {
			t.Errorf("a user with one service: got %d changes, want %d", len(changes), MaxChanges)
		}
	})
}
