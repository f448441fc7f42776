package registry

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/clock"
)

// Each session is counted once, by how it ended.
func TestSessionsAreCounted(t *testing.T) {
	r := New(clock.New(), 0)
	goodbye, lost, replaced := open(t, r, "epg", "a"), open(t, r, "epg", "b"), open(t, r, "epg", "c")
	for _, a := range []*agent{goodbye, lost, replaced} {
		if err := a.report(passed); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := reportAs(t, r, 1001, "epg"); !errors.Is(err, ErrNotOwner) {
		t.Errorf("got error %v, want %v", err, ErrNotOwner)
	}
	newer := open(t, r, "epg", "c")
	if err := newer.report(passed); err != nil {
		t.Fatal(err)
	}
	goodbye.session.Goodbye()
	for range 2 {
		goodbye.session.Disconnect()
		lost.session.Disconnect()
		replaced.session.Disconnect()
	}
	want := SessionCounts{Opened: 4, Goodbyes: 1, Lost: 1, Ended: 1, NotOwner: 1}
	if diff := cmp.Diff(want, r.Sessions()); diff != "" || want.Open() != 1 {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A session whose first report is refused, because its user has meanwhile taken all that
// it may have, was refused and not lost.
func TestRefusedFirstReportIsNoLoss(t *testing.T) {
	r := New(clock.New(), 0)
	late := openAs(t, r, AgentID{Service: "late", Instance: "a", UID: 1})
	fill(r, 1, MaxServicesPerUser)
	if err := late.report(passed); !errors.Is(err, ErrLimit) {
		t.Fatalf("got error %v, want %v", err, ErrLimit)
	}
	late.session.Disconnect()
	if diff := cmp.Diff(SessionCounts{Opened: 1, Ended: 1, OverLimit: 1}, r.Sessions()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// An answer counts once, by its lag, and so does one that ended a hang.
func TestLoopLagsAreCounted(t *testing.T) {
	r := New(clock.New(), 0)
	a := open(t, r, "epg", "a")
	for _, f := range []Fact{
		{},
		{Reached: true, Count: 1, Lag: time.Second},
		{Reached: true, Count: 1, Lag: time.Second, Open: true, Age: time.Hour},
		{Reached: true, Count: 2, Lag: time.Hour},
		{Reached: true, Count: 2, Lag: time.Hour},
	} {
		if err := a.report(f); err != nil {
			t.Fatal(err)
		}
	}
	if c := r.LoopLags("epg"); c.Count != 2 || c.Sum != time.Hour+time.Second {
		t.Errorf("got %d lags of %v, want 2 of 1h0m1s", c.Count, c.Sum)
	}
	if c := r.LoopLags("absent"); c.Count != 0 {
		t.Errorf("got %d lags of an unknown service", c.Count)
	}
}
