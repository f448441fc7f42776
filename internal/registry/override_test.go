package registry

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

func TestUndeclaredOverridesAreNamedOnceAProgramReports(t *testing.T) {
	r := New(clock.New(), 0)
	r.Configure(map[string]Policy{"epg": {Landmarks: map[string]Override{
		"main":      {},
		"main lopp": {Impact: new(judge.ImpactDegrading)},
		"disk":      {},
	}}}, nil)
	if got := r.UndeclaredOverrides("epg"); got != nil {
		t.Errorf("before a report: got %q, want none", got)
	}
	a := open(t, r, "epg", "a") // declares "main"
	a.pass()
	if got, want := r.UndeclaredOverrides("epg"), []string{"disk", "main lopp"}; !slices.Equal(got, want) {
		t.Errorf("after a report: got %q, want %q", got, want)
	}
	if got := r.UndeclaredOverrides("unknown"); got != nil {
		t.Errorf("of an unknown service: got %q, want none", got)
	}
	a.session.Goodbye()
	if got := r.UndeclaredOverrides("epg"); got != nil {
		t.Errorf("after the last process stopped: got %q, want none", got)
	}
}

// A program calls it with its first report, under the lock of a service that may
// have thousands of landmarks.
func TestUndeclaredOverridesKeepNoListOfAllLandmarks(t *testing.T) {
	r := New(clock.New(), 0)
	r.Configure(map[string]Policy{"epg": {Landmarks: map[string]Override{"main": {}}}}, nil)
	a := open(t, r, "epg", "a")
	a.pass()
	fewest := func() float64 { // of several tries, because what others allocate meanwhile counts too
		least := math.Inf(1)
		for range 100 {
			least = min(least, testing.AllocsPerRun(1, func() { r.UndeclaredOverrides("epg") }))
		}
		return least
	}
	few := fewest()
	declaration := slices.Clone(a.session.declaration)
	for i := range 1000 {
		declaration = append(declaration, judge.Declared{Name: fmt.Sprint("queue ", i), Kind: judge.KindLevel, Impact: judge.ImpactDegrading})
	}
	if err := a.session.Declare(declaration); err != nil {
		t.Fatal(err)
	}
	if err := a.session.Report(make([]Fact, len(declaration)), 0); err != nil {
		t.Fatal(err)
	}
	if many := fewest(); many > few {
		t.Errorf("%v allocations with %d landmarks, %v with one", many, len(declaration), few)
	}
}
