package registry

import (
	"errors"
	"fmt"
	"maps"
	"testing"
)

// fill makes the registry know n more services of the user.
func fill(r *Registry, uid uint32, n int) {
	services := maps.Clone(*r.services.Load())
	for i := range n {
		name := fmt.Sprintf("s%d-%d", uid, i)
		services[name] = newService(name, uid, &DefaultPolicy, r.clock, r.serviceChanged)
	}
	r.services.Store(&services)
}

func TestLimitOfServices(t *testing.T) {
	r := New(NewClock(), 0)
	report := func(service string, uid uint32) error {
		a := &agent{t: t}
		if err := a.open(r, Peer{Service: service, Instance: "a", UID: uid}, mainLoop); err != nil {
			return err
		}
		return a.report(Fact{Reached: true})
	}
	late := &agent{t: t}
	if err := late.open(r, Peer{Service: "late", Instance: "a", UID: 0}, mainLoop); err != nil {
		t.Fatal(err)
	}

	fill(r, 0, MaxServicesPerUser-1)
	if err := report("the-last", 0); err != nil {
		t.Errorf("as many as a user may have: %v", err)
	}
	if err := report("one-more", 0); !errors.Is(err, ErrLimit) {
		t.Errorf("one more: %v", err)
	}
	if err := late.report(Fact{Reached: true}); !errors.Is(err, ErrLimit) {
		t.Errorf("one more that was opened while there was room: %v", err)
	}
	if err := report("s0-0", 0); err != nil {
		t.Errorf("one that is known: %v", err)
	}

	for uid := uint32(1); len(r.Names()) < MaxServices-1; uid++ {
		fill(r, uid, min(MaxServicesPerUser, MaxServices-1-len(r.Names())))
	}
	if err := report("another-user", 1000); err != nil {
		t.Errorf("as many as there may be: %v", err)
	}
	if err := report("another-users", 1001); !errors.Is(err, ErrLimit) {
		t.Errorf("one more of a user who has none: %v", err)
	}
	if n := len(r.Names()); n != MaxServices {
		t.Errorf("%d services are known, want %d", n, MaxServices)
	}
}

func TestLimitOfInstances(t *testing.T) {
	r := New(NewClock(), 0)
	var agents []*agent
	for i := range MaxInstances {
		a := open(t, r, "epg", fmt.Sprint(i))
		a.pass()
		agents = append(agents, a)
	}
	more := open(t, r, "epg", "one more")
	if err := more.report(Fact{Reached: true}); !errors.Is(err, ErrLimit) {
		t.Errorf("one more: %v", err)
	}
	if err := agents[7].report(Fact{Reached: true}); err != nil {
		t.Errorf("one of them: %v", err)
	}
	open(t, r, "epg", "7").pass() // takes the place of its own
	agents[8].session.Lost()
	more.pass()
	agents[9].session.Goodbye()
	open(t, r, "epg", "another").pass()
}
