package registry

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// TestHistoryKeepsTheLastChanges changes a service more often than is kept.
func TestHistoryKeepsTheLastChanges(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		a := open(t, r, "epg", "a")
		a.pass()
		for range MaxChanges {
			a.report(Fact{Reached: true, Open: true, Age: 2 * mainLoop.Within})
			live(mainLoop.Within, a)
		}
		changes, _ := r.History("epg")
		if len(changes) != MaxChanges {
			t.Fatalf("%d changes are kept, want %d", len(changes), MaxChanges)
		}
		for i, c := range changes {
			want := judge.Stalled
			if i%2 == 1 {
				want = judge.None
			}
			if got := c.Verdicts[judge.Readiness].Cause; got != want {
				t.Errorf("change %d is to %q, want %q", i, got, want)
			}
			if i > 0 && c.Age > changes[i-1].Age {
				t.Errorf("change %d was before the one before it", i)
			}
		}
	})
}

// TestHistoryShowsTheWorstLandmarks has more landmarks that are not well than
// are kept with a change.
func TestHistoryShowsTheWorstLandmarks(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		a := &agent{t: t}
		if err := a.open(r, AgentID{Service: "epg", Instance: "a", UID: 1000}, mainLoop); err != nil {
			t.Fatal(err)
		}
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
		shown := changes[len(changes)-1].Landmarks
		if len(shown) != maxChangeLandmarks || shown[0].Name != "failing" || shown[0].State != judge.Failing || shown[1].State != judge.Degraded {
			t.Errorf("shown are %+v", shown)
		}
	})
}

// flap has a service of the user change as often as is kept, and again, for long
// reasons.
func flap(t *testing.T, r *Registry, service string, uid uint32) {
	t.Helper()
	a := &agent{t: t}
	if err := a.open(r, AgentID{Service: service, Instance: "a", UID: uid}, mainLoop); err != nil {
		t.Fatal(err)
	}
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

// kept is how many bytes of text the histories of so many services keep, and
// the fewest changes of one.
func kept(r *Registry, services int) (bytes, fewest int) {
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
		bytes, fewest := kept(r, services)
		if bytes > 4<<20 || fewest < 1 {
			t.Errorf("%d bytes are kept of one user, and %d changes of some service; want at most 4 MiB, and at least one", bytes, fewest)
		}
		flap(t, r, "other", 1001)
		if changes, _ := r.History("other"); len(changes) != MaxChanges {
			t.Errorf("of another user %d changes are kept, want %d", len(changes), MaxChanges)
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
		if bytes, _ := kept(r, users*each); bytes > 12<<20 {
			t.Errorf("%d bytes of text are kept, want at most 12 MiB", bytes)
		}
		flap(t, r, "calm", 2000)
		if changes, _ := r.History("calm"); len(changes) != MaxChanges {
			t.Errorf("of a user with one service %d changes are kept, want %d", len(changes), MaxChanges)
		}
	})
}
