package page

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// noLink is the connection of a process to which nothing is sent.
type noLink struct{}

func (noLink) GetState(uint64) {}
func (noLink) End(error)       {}
func (noLink) CaughtUp() bool  { return true }
func (noLink) HasEnded() bool  { return false }

// declare makes a process of the service with many landmarks, the last of which fails.
func declare(t *testing.T, f *fixture, service, instance string, landmarks int) *registry.Session {
	t.Helper()
	session, err := f.registry.Open(registry.AgentID{Service: service, Instance: instance, UID: 0}, noLink{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Disconnect)
	declared, facts := make([]judge.Declared, landmarks), make([]registry.Fact, landmarks)
	for i := range declared {
		declared[i] = judge.Declared{Name: fmt.Sprintf("%04d %s", i, strings.Repeat("x", 50)), Kind: judge.KindCondition, Impact: judge.ImpactInformational}
		facts[i] = registry.Fact{Reached: true, Count: 1, Met: i < landmarks-1, Reason: strings.Repeat("because ", 30)}
	}
	if err := session.Declare(declared); err != nil {
		t.Fatal(err)
	}
	if err := session.Report(facts, 0); err != nil {
		t.Fatal(err)
	}
	return session
}

// Of a service with very many landmarks and instances the worst are shown, and how many
// more there are.
func TestTheWorstAreShown(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		const landmarks, instances = 1000, 400
		declare(t, f, "many", "0", landmarks)
		for i := range instances - 1 {
			declare(t, f, "many", fmt.Sprint(i+1), 1)
		}
		e := last(t, f.open("many").events(t), "service").Data
		if len(e.Landmarks) != maxShown || e.MoreLandmarks < landmarks-maxShown || e.Landmarks[0].State != judge.Failing {
			t.Errorf("got %d landmarks and %d more, the first is %v; want %d, %d and a failing one", len(e.Landmarks), e.MoreLandmarks, e.Landmarks[0].State, maxShown, landmarks-maxShown)
		}
		if len(e.Instances) != maxShown || e.MoreInstances != instances-maxShown {
			t.Errorf("got %d instances and %d more, want %d and %d", len(e.Instances), e.MoreInstances, maxShown, instances-maxShown)
		}
	})
}

// Instances that are not ready are shown before others, in their order.
func TestWorstInstances(t *testing.T) {
	var all []registry.Instance
	for i := range 3 * maxShown {
		in := registry.Instance{InstanceState: judge.InstanceState{Instance: &judge.Instance{Name: fmt.Sprint(i)}}}
		if i%30 == 29 {
			in.Cause = judge.Failed
		}
		all = append(all, in)
	}
	shown, failed, before := worst(all), 0, -1
	for _, in := range shown {
		var n int
		fmt.Sscan(in.Name, &n)
		if in.Cause == judge.Failed {
			failed++
		}
		if n <= before {
			t.Errorf("%d is shown after %d", n, before)
		}
		before = n
	}
	if len(shown) != maxShown || failed != 3*maxShown/30 {
		t.Errorf("got %d, of which %d have failed, want %d and %d", len(shown), failed, maxShown, 3*maxShown/30)
	}
	for i := range all {
		all[i].Cause = judge.Failed
	}
	if n := len(worst(all)); n != maxShown {
		t.Errorf("if all have failed: got %d, want %d", n, maxShown)
	}
}

// Browsers that read nothing, of services with very many landmarks, keep little memory,
// and cost a browser that reads nothing.
func TestBacklogIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		const slow = maxStreams - 1
		read := make(chan struct{})
		as := func(ctx context.Context) context.Context { return ctx }
		var stuck []*browser
		for i := range slow {
			service := fmt.Sprint("many", i)
			declare(t, f, service, "a", 500)
			stuck = append(stuck, f.openStuck(service, read, as))
		}
		p := frontendtest.NewProcess(t, f.registry, "epg")
		p.Work()
		good := f.open("epg")
		most := 0
		for range 2 * maxQueue {
			time.Sleep(detailTicks * tick)
			if len(good.events(t)) == 0 {
				t.Fatal("a browser that reads gets no events")
			}
			f.server.backlog.mu.Lock()
			most = max(most, f.server.backlog.bytes)
			f.server.backlog.mu.Unlock()
		}
		if most > maxBacklog || most < maxWaiting {
			t.Errorf("at most %d bytes waited, want some, at most %d", most, maxBacklog)
		}
		close(read)
		for _, b := range stuck {
			<-b.ended
		}
		good.close()
		<-good.ended
		synctest.Wait()
		if b := &f.server.backlog; b.bytes != 0 || b.ending != 0 {
			t.Errorf("after all have ended: %d bytes wait, %d of them are ending", b.bytes, b.ending)
		}
	})
}

// An event that is on its way to several pages that were cut off counts once, and not at all
// as ending while another page has it.
func TestSharedEventsEndOnce(t *testing.T) {
	var b backlog
	e := &event{text: make([]byte, 100)}
	var all []*stream
	for range 3 {
		st := &stream{queue: make(chan *event, 1), abort: func() {}}
		b.add(st, e)
		all = append(all, st)
	}
	want := func(when string, bytes, ending int) {
		t.Helper()
		if b.bytes != bytes || b.ending != ending {
			t.Errorf("%s: %d bytes, %d of them ending; want %d and %d", when, b.bytes, b.ending, bytes, ending)
		}
	}
	b.take(all[0], e)
	b.cut(all[0])
	b.cut(all[1])
	b.take(all[1], e)
	want("one page is open", 100, 0)
	b.take(all[2], e)
	b.finish(all[2], e)
	want("all were cut off", 100, 100)
	b.finish(all[0], e)
	want("one has ended", 100, 100)
	b.finish(all[1], e)
	want("all have ended", 0, 0)
}

// A page is cut off by the bytes that wait for it, however few events they are.
func TestBytesOfAPageAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		declare(t, f, "many", "a", 1000)
		read := make(chan struct{})
		slow := f.openStuck("many", read, func(ctx context.Context) context.Context { return ctx })
		time.Sleep(maxQueue / 4 * detailTicks * tick)
		synctest.Wait()
		close(read)
		<-slow.ended
		size := 0
		for _, w := range slow.writes {
			size += len(w)
		}
		if size > 2*maxWaiting {
			t.Errorf("after it was cut off, it got %d bytes, want at most %d", size, 2*maxWaiting)
		}
	})
}

// More changes than fit into an event come in several at once, and none is left out, also
// while the services that come first change all the time.
func TestManyChangesComeInPieces(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		const services = 2000
		var all []*registry.Session
		for i := range services {
			all = append(all, declare(t, f, fmt.Sprintf("s%04d %s", i, strings.Repeat("x", 110)), "a", 1))
		}
		b := f.open("")
		change := func(n int) {
			for i, session := range all {
				if err := session.Report([]registry.Fact{{Reached: true, Count: uint64(n + 2), Met: n%2 == 0, Reason: fmt.Sprint(i)}}, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		const rounds = 3 // in most of which nothing but the changes makes the feed look
		for n := range rounds {
			time.Sleep(tick)
			b.events(t)
			change(n)
			time.Sleep(3 * tick)
			synctest.Wait()
			largest := 0
			for _, w := range b.writes {
				largest = max(largest, len(w))
			}
			changed := make(map[string]bool)
			events := only(b.events(t), "changes")
			for _, e := range events {
				for _, r := range e.Data.Rows {
					changed[r.Name] = true
				}
			}
			if len(events) < 2 || len(changed) != services || largest > maxChanges*3/2 {
				t.Errorf("got %d changed services in %d events of at most %d bytes, want %d in several", len(changed), len(events), largest, services)
			}
		}
		p := frontendtest.NewProcess(t, f.registry, "the last")
		p.Work()
		shown := false
		for n := range 4 {
			change(rounds + n)
			time.Sleep(tick)
			for _, e := range only(b.events(t), "changes") {
				for _, r := range e.Data.Rows {
					shown = shown || r.Name == "the last"
				}
			}
		}
		if !shown {
			t.Error("a service that comes last is not shown while all others change")
		}
	})
}
