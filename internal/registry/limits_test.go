package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// fill adds services of the user, each with a process, until it has n of them.
func fill(r *Registry, uid uint32, n int) {
	services := maps.Clone(*r.services.Load())
	for i := range n {
		name := fmt.Sprintf("s%d-%d", uid, i)
		if services[name] != nil {
			continue
		}
		s := r.createService(name, uid)
		s.current.Store(s.current.Load().advance(judge.Service{Instances: []*judge.Instance{{Name: "a"}}}, 0))
		services[name] = s
	}
	r.services.Store(&services)
}

// reportAs opens a session of the user's service and reports.
func reportAs(t *testing.T, r *Registry, uid uint32, service string) (*agent, error) {
	a := &agent{t: t}
	if err := a.open(r, AgentID{Service: service, Instance: "a", UID: uid}, mainLoop); err != nil {
		return nil, err
	}
	return a, a.report(passed)
}

func TestServicesAreLimitedByUserAndInAll(t *testing.T) {
	r := New(clock.New(), 0)
	wantError := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: got error %v, want %v", what, err, want)
		}
	}
	report := func(what, service string, uid uint32, want error) {
		t.Helper()
		_, err := reportAs(t, r, uid, service)
		wantError(what, err, want)
	}
	late := openAs(t, r, AgentID{Service: "late", Instance: "a", UID: 1})

	fill(r, 1, MaxServicesPerUser-1)
	report("the last that the user may have", "the-last", 1, nil)
	report("one more", "one-more", 1, ErrLimit)
	wantError("one more, opened while a slot was free", late.report(passed), ErrLimit)
	report("a known one", "s1-0", 1, nil)

	// Five users that take all they can leave slots for a sixth, and for root.
	for uid := uint32(2); uid <= 5; uid++ {
		for n := 50; ; n += 50 {
			if _, err := roomFor(*r.services.Load(), uid); err != nil {
				t.Logf("uid %d may have %d", uid, n-50)
				break
			}
			fill(r, uid, n)
		}
	}
	report("the first of a sixth user", "another-users", 1000, nil)
	fill(r, 0, MaxServices-len(r.Names()))
	report("one more than all users may have", "roots", 0, ErrLimit)
}

func TestInstancesOfAServiceAreLimited(t *testing.T) {
	r := New(clock.New(), 0)
	var agents []*agent
	for i := range MaxInstances {
		a := open(t, r, "epg", fmt.Sprint(i))
		a.pass()
		agents = append(agents, a)
	}
	more := open(t, r, "epg", "one more")
	if err := more.report(passed); !errors.Is(err, ErrLimit) {
		t.Errorf("one more: got error %v, want %v", err, ErrLimit)
	}
	if err := agents[7].report(passed); err != nil {
		t.Errorf("one of them: got error %v, want none", err)
	}
	open(t, r, "epg", "7").pass() // takes the slot of its own name
	agents[8].session.Disconnect()
	more.pass()
	agents[9].session.Goodbye()
	open(t, r, "epg", "another").pass()
}

// A user takes its whole quota of sessions and landmarks. It may have no more, other
// users may, and the quota is free again when the sessions have ended.
func TestSessionsAndLandmarksAreLimitedByUser(t *testing.T) {
	r := New(clock.New(), 0)
	link := &agent{t: t}
	const each = 1023 // landmarks, beside the session itself
	var sessions []*Session
	for {
		s, err := r.Open(AgentID{Service: "epg", Instance: "a", UID: 1000}, link)
		if err == nil {
			err = s.Declare(make([]judge.Declared, each))
		}
		if err != nil {
			if !errors.Is(err, ErrLimit) {
				t.Fatal(err)
			}
			break
		}
		sessions = append(sessions, s)
	}
	if want := MaxReportedPerUser / (each + 1); len(sessions) != want {
		t.Errorf("got %d sessions, want %d", len(sessions), want)
	}
	other, err := r.Open(AgentID{Service: "other", Instance: "a", UID: 1001}, link)
	if err != nil {
		t.Fatalf("another user: got error %v, want none", err)
	}
	other.Goodbye()

	for _, s := range sessions {
		s.Disconnect()
		s.Disconnect() // gives nothing back twice
	}
	if n := r.reported.Of(1000); n > 1 { // the session whose declaration was rejected is still open
		t.Errorf("after all sessions ended: the user holds %d, want at most 1", n)
	}
	if n := r.reported.Users(); n > 1 {
		t.Errorf("after all sessions ended: %d users hold some, want at most 1", n)
	}
}

// A user whose quota is full starts more services. Each replaces the user's longest
// stopped one, or else the longest lost one, and never another user's.
func TestNewServiceReplacesTheUsersLongestIdle(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		for i, end := range []func(*Session){(*Session).Disconnect, (*Session).Goodbye, (*Session).Goodbye, (*Session).Disconnect} {
			for _, uid := range []uint32{1, 2} {
				a, err := reportAs(t, r, uid, fmt.Sprintf("idle%d-%d", i, uid))
				if err != nil {
					t.Fatal(err)
				}
				end(a.session)
			}
			time.Sleep(time.Second)
		}
		fill(r, 1, MaxServicesPerUser-4)
		knownIdle := func() (idle []string) {
			for _, name := range r.Names() {
				if name[0] == 'i' {
					idle = append(idle, name)
				}
			}
			return idle
		}
		for i, gone := range []string{"idle1-1", "idle2-1", "idle0-1", "idle3-1"} {
			if _, err := reportAs(t, r, 1, fmt.Sprint("new", i)); err != nil {
				t.Errorf("new service %d: got error %v, want none", i, err)
			}
			if got := knownIdle(); slices.Contains(got, gone) || len(got) != 7-i {
				t.Errorf("after new service %d: got idle services %v, want %d, without %s", i, got, 7-i, gone)
			}
			check(t, gone, lookup(r, gone), judge.UnknownName)
		}
		if _, err := reportAs(t, r, 1, "one-more"); err == nil {
			t.Error("one more than the quota: got no error, want one")
		}
		if _, err := reportAs(t, r, 1, "idle1-2"); err == nil {
			t.Error("another user's stopped service: got no error, want one")
		}
	})
}
