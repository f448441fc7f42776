package registry

import (
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
