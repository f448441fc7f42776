package registry

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// fill makes the registry know n services of the user, each with a process.
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

func TestLimitOfServices(t *testing.T) {
	r := New(clock.New(), 0)
	report := func(service string, uid uint32) error {
		a := &agent{t: t}
		if err := a.open(r, AgentID{Service: service, Instance: "a", UID: uid}, mainLoop); err != nil {
			return err
		}
		return a.report(Fact{Reached: true})
	}
	late := &agent{t: t}
	if err := late.open(r, AgentID{Service: "late", Instance: "a", UID: 1}, mainLoop); err != nil {
		t.Fatal(err)
	}

	fill(r, 1, MaxServicesPerUser-1)
	if err := report("the-last", 1); err != nil {
		t.Errorf("as many as a user may have: %v", err)
	}
	if err := report("one-more", 1); !errors.Is(err, ErrLimit) {
		t.Errorf("one more: %v", err)
	}
	if err := late.report(Fact{Reached: true}); !errors.Is(err, ErrLimit) {
		t.Errorf("one more that was opened while there was room: %v", err)
	}
	if err := report("s1-0", 1); err != nil {
		t.Errorf("one that is known: %v", err)
	}

	// Five greedy users leave room for a sixth, and for root.
	for uid := uint32(2); uid <= 5; uid++ {
		for n := 50; ; n += 50 {
			if _, err := findSlot(*r.services.Load(), uid); err != nil {
				t.Logf("uid %d may have %d", uid, n-50)
				break
			}
			fill(r, uid, n)
		}
	}
	if err := report("another-users", 1000); err != nil {
		t.Errorf("a sixth user's first: %v", err)
	}
	fill(r, 0, MaxServices-len(r.Names()))
	if err := report("roots", 0); !errors.Is(err, ErrLimit) {
		t.Errorf("one more than there may be: %v", err)
	}
}

func TestLimitOfInstances(t *testing.T) {
	r := New(clock.New(), 0)
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
	agents[8].session.Disconnect()
	more.pass()
	agents[9].session.Goodbye()
	open(t, r, "epg", "another").pass()
}
