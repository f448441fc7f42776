package page

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// An open page shows a hang one tick after the verdict, with its reason, and what the
// page of the service shows.
func TestPageShowsHang(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		p := frontendtest.NewProcess(t, f.registry, "epg")
		p.Work()
		stop := report(p, p.Work)
		all, one := f.open(""), f.open("epg")
		if r := rowOf(t, last(t, all.events(t), "services"), "epg"); r.Class != serving || r.Weight != 100 || r.Ready != 1 || r.Instances != 1 || !r.Alive {
			t.Errorf("before the hang: got %+v, want it serving", r)
		}
		time.Sleep(3 * time.Second)
		if changes := only(all.events(t), "changes"); len(changes) > 0 {
			t.Errorf("a healthy service that reports: got the changes %+v, want none", changes)
		}
		one.events(t)

		stop()
		p.Stall()
		time.Sleep(tick)
		got := last(t, all.events(t), "changes")
		if r := rowOf(t, got, "epg"); r.Class != out || r.Cause != "stalled" || !strings.HasPrefix(r.Reason, "main loop last answered 2.") || r.Ready != 0 || r.Alive {
			t.Errorf("after the hang: got %+v, want it stalled", r)
		}
		if band := got.Data.Bands["epg"]; len(band) != 1 || class(band[0][1]) != out {
			t.Errorf("the band after the hang: got %v, want one more change", band)
		}
		time.Sleep(detailTicks * tick)
		events := one.events(t)
		now := last(t, events, "service").Data
		if now.Class != out || len(now.Landmarks) != 1 || now.Landmarks[0].State != judge.Failing || now.Landmarks[0].Fill < 1 || now.Landmarks[0].Limit != "allowed 2 s" {
			t.Errorf("the service after the hang: got %+v, want its main loop failing", now)
		}
		if len(now.Instances) != 1 || now.Instances[0].Says != "stalled" || !now.Instances[0].Counts {
			t.Errorf("the instances after the hang: got %+v, want one that is stalled", now.Instances)
		}
		past := last(t, events, "past").Data.Changes
		if n := len(past); n < 2 || past[n-1].Class != out || len(past[n-1].Landmarks) != 1 || past[n-2].Class != serving {
			t.Errorf("the past after the hang: got %+v, want it stalled after it was serving", past)
		}
	})
}

// The past is composed only when it changes, however often the present is.
func TestPastIsSentOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		p := frontendtest.NewProcess(t, f.registry, "epg")
		p.Work()
		defer report(p, p.Work)()
		b := f.open("epg")
		time.Sleep(10 * time.Second)
		events := b.events(t)
		if n := len(only(events, "past")); n != 1 {
			t.Errorf("got the past %d times, want once", n)
		}
		if n, want := len(only(events, "service")), int(10*time.Second/tick/detailTicks); n < want-1 || n > want+1 {
			t.Errorf("got the present %d times, want %d", n, want)
		}
	})
}

// All pages get the same bytes: an event is composed once.
func TestPagesShareEvents(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		p := frontendtest.NewProcess(t, f.registry, "epg")
		p.Work()
		a, b := f.open("epg"), f.open("epg")
		a.events(t)
		b.events(t)
		p.Stall()
		time.Sleep(4 * slowTicks * tick)
		synctest.Wait()
		if len(a.writes) < 8 || len(a.writes) != len(b.writes) {
			t.Fatalf("got %d and %d events, want as many", len(a.writes), len(b.writes))
		}
		for i := range a.writes {
			if &a.writes[i][0] != &b.writes[i][0] {
				t.Errorf("event %d was composed twice: %.60s", i, a.writes[i])
			}
		}
	})
}

// counted counts the looks at services.
type counted struct {
	*registry.Registry
	looks int // of the feed's goroutine
}

func (c *counted) Status(name string) (registry.ServiceStatus, bool) {
	c.looks++
	return c.Registry.Status(name)
}

// Without an open page nothing is looked at. With one, a service that changes without
// end is looked at only each tick.
func TestLooksAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		source := &counted{Registry: f.registry}
		f.run(Config{Source: source, Checkers: f.checkers})
		p := frontendtest.NewProcess(t, f.registry, "epg")
		n := 0
		defer report(p, func() {
			if n++; n%2 == 0 {
				p.Work()
			} else {
				p.Stall()
			}
		})()
		time.Sleep(time.Minute)
		synctest.Wait()
		if source.looks != 0 {
			t.Errorf("without a page: got %d looks, want none", source.looks)
		}
		b := f.open("")
		time.Sleep(time.Minute)
		synctest.Wait()
		ticks := int(time.Minute / tick)
		if most := ticks + ticks/slowTicks + 10; source.looks > most {
			t.Errorf("with a page: got %d looks in %d ticks, want at most %d", source.looks, ticks, most)
		}
		b.close()
		<-b.ended
		source.looks = 0
		time.Sleep(time.Minute)
		synctest.Wait()
		if source.looks != 0 {
			t.Errorf("after the last page was closed: got %d looks, want none", source.looks)
		}
	})
}

// A browser that reads nothing is cut off, and delays no other.
func TestSlowPageIsCutOff(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		p := frontendtest.NewProcess(t, f.registry, "epg")
		p.Work()
		read := make(chan struct{})
		slow, good := f.openStuck("epg", read, func(ctx context.Context) context.Context { return ctx }), f.open("epg")
		for range 10 * maxQueue {
			time.Sleep(detailTicks * tick)
			if len(good.events(t)) == 0 {
				t.Fatal("the other page gets no events")
			}
		}
		close(read)
		<-slow.ended
		if n := len(slow.events(t)); n == 0 || n > maxQueue {
			t.Errorf("the slow page: got %d events at last, want some, at most %d", n, maxQueue)
		}
	})
}

// Pages are limited, and one that is closed makes room for another.
func TestNumberOfPagesIsLimited(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		var pages []*browser
		for range maxStreams {
			pages = append(pages, f.open(""))
		}
		refused := f.open("")
		<-refused.ended
		if refused.code != http.StatusServiceUnavailable || refused.header.Get("Retry-After") == "" {
			t.Errorf("one page too many: got %d, want %d with Retry-After", refused.code, http.StatusServiceUnavailable)
		}
		pages[0].close()
		<-pages[0].ended
		if b := f.open(""); len(b.events(t)) == 0 {
			t.Error("a page after another was closed gets no events")
		}
	})
}

// A client that has opened all pages keeps no other from opening one: its oldest page ends.
func TestOneClientKeepsNoOtherAway(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		from := func(address string) func(context.Context) context.Context {
			return func(ctx context.Context) context.Context { return context.WithValue(ctx, fromKey{}, address) }
		}
		var greedy []*browser
		for range maxStreams {
			greedy = append(greedy, f.openAs("", from("[2001:db8::1]:1")))
		}
		same := f.openAs("", from("[2001:db8::2]:1")) // of the same network
		<-same.ended
		if same.code != http.StatusServiceUnavailable {
			t.Errorf("one page too many of the network: got %d, want %d", same.code, http.StatusServiceUnavailable)
		}
		for i := range 3 {
			if b := f.openAs("", from("192.0.2.7:1")); len(b.events(t)) == 0 {
				t.Errorf("page %d of another client gets no events", i+1)
			}
			<-greedy[i].ended
		}
		if b := greedy[maxStreams-1]; len(b.events(t)) == 0 {
			t.Error("the latest page of the first client gets no events")
		}
	})
}

// All services come in several events, the next once the one before is taken.
func TestManyServicesComeInPieces(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		const services = 700
		for i := range services {
			frontendtest.NewProcess(t, f.registry, fmt.Sprint("epg", i)).Work()
		}
		read := make(chan struct{})
		stuck := f.openStuck("", read, func(ctx context.Context) context.Context { return ctx })
		pieces := only(f.open("").events(t), "services")
		shown := make(map[string]bool)
		for i, p := range pieces {
			if p.Data.First != (i == 0) || p.Data.Last != (i == len(pieces)-1) {
				t.Errorf("piece %d of %d: first %v, last %v", i+1, len(pieces), p.Data.First, p.Data.Last)
			}
			for _, r := range p.Data.Rows {
				if shown[r.Name] || p.Data.Bars[r.Name] == "" || len(p.Data.Bands[r.Name]) == 0 {
					t.Errorf("piece %d has %s again, or without bars or band", i+1, r.Name)
				}
				shown[r.Name] = true
			}
		}
		if len(pieces) < 2 || len(shown) != services {
			t.Errorf("got %d services in %d pieces, want %d in several", len(shown), len(pieces), services)
		}
		stuck.close()
		close(read)
		<-stuck.ended
		if n := len(only(stuck.events(t), "services")); n > 1 {
			t.Errorf("a browser that read nothing: got %d pieces, want at most one", n)
		}
	})
}

// A service that is dropped vanishes, and one that is not known yet is shown once it is.
func TestServicesComeAndGo(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		all, one := f.open(""), f.open("epg")
		if e := last(t, one.events(t), "service"); e.Data.Known {
			t.Error("a service that has not reported is known")
		}
		p := frontendtest.NewProcess(t, f.registry, "epg")
		p.Work()
		time.Sleep(detailTicks * tick)
		if e := last(t, one.events(t), "service"); !e.Data.Known || e.Data.Class != serving {
			t.Errorf("a service that has reported: got %+v, want it serving", e.Data)
		}
		rowOf(t, last(t, all.events(t), "changes"), "epg")
		p.Session.Goodbye()
		if err := f.registry.Forget("epg", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(slowTicks * tick)
		if e := last(t, all.events(t), "changes"); len(e.Data.Gone) != 1 || e.Data.Gone[0] != "epg" {
			t.Errorf("a service that was forgotten: got gone %q, want epg", e.Data.Gone)
		}
	})
}

// The page shows who checks, who has fallen silent, and wrong names.
func TestCheckers(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		p := frontendtest.NewProcess(t, f.registry, "epg")
		p.Work()
		defer report(p, p.Work)()
		director := checkers.Checker{From: netip.MustParseAddr("10.0.0.2"), Via: checkers.LMPUDP}
		began := time.Now()
		for range 60 {
			f.checkers.Record(checkers.Check{Service: "epg", Known: true}, director, time.Since(began))
			f.checkers.Record(checkers.Check{Name: []byte("epgg")}, director, time.Since(began))
			time.Sleep(time.Second)
		}
		b := f.open("epg")
		events := b.events(t)
		if r := rowOf(t, last(t, events, "services"), "epg"); r.Checkers != 1 || r.Silent != 0 {
			t.Errorf("got %d checkers, %d silent, want 1, 0", r.Checkers, r.Silent)
		}
		time.Sleep(slowTicks * tick)
		if o := last(t, b.events(t), "bars").Data.Others; len(o) != 1 || o[0].Name != "epgg" || !o[0].Unknown || o[0].Address != "10.0.0.2" {
			t.Errorf("other checkers: got %+v, want that of epgg", o)
		}
		time.Sleep(time.Minute)
		if r := rowOf(t, last(t, b.events(t), "changes"), "epg"); r.Silent != 1 {
			t.Errorf("a minute later: got %d silent, want 1", r.Silent)
		}
	})
}

// The streams end with the server.
func TestStreamsEndWithServer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		b := f.open("")
		f.stop()
		<-b.ended
		late := f.open("")
		<-late.ended
		if late.code != http.StatusServiceUnavailable {
			t.Errorf("after the end: got %d, want %d", late.code, http.StatusServiceUnavailable)
		}
	})
}

// What earlier sidecars have seen is shown also if it becomes known only while a page is open.
func TestEarlierChangesThatAreLate(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		var read atomic.Bool
		f.run(Config{Source: f.registry, Checkers: f.checkers, Earlier: func(string) []registry.Change {
			if !read.Load() {
				return nil
			}
			return []registry.Change{{Age: time.Hour}}
		}})
		p := frontendtest.NewProcess(t, f.registry, "epg")
		p.Work()
		defer report(p, p.Work)()
		b := f.open("epg")
		b.events(t)
		read.Store(true)
		time.Sleep(3 * slowTicks * tick)
		events := b.events(t)
		if got := only(events, "earlier"); len(got) != 1 || len(got[0].Data.Changes) != 1 {
			t.Errorf("got %d earlier events, want one", len(got))
		}
		if got := only(events, "services"); len(got) != 1 || len(got[0].Data.Rows) != 1 || len(got[0].Data.Bands["epg"]) != 2 {
			t.Errorf("got %+v, want the whole band once", got)
		}
	})
}

// What earlier sidecars have seen is shown apart from what this one has.
func TestEarlierChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		time.Sleep(time.Hour)
		earlier := registry.Change{Age: 2 * time.Hour}
		for a := range earlier.Verdicts {
			earlier.Verdicts[a] = registry.VerdictSummary{Status: judge.NotServing, Cause: judge.Stalled, Reason: "it hung"}
		}
		f.run(Config{Source: f.registry, Checkers: f.checkers, Earlier: func(service string) []registry.Change {
			if service == "epg" {
				return []registry.Change{earlier}
			}
			return nil
		}})
		frontendtest.NewProcess(t, f.registry, "epg").Work()
		frontendtest.NewProcess(t, f.registry, "vod").Work()
		events := f.open("epg").events(t)
		if got := last(t, events, "earlier").Data.Changes; len(got) != 1 || got[0].Class != out || got[0].Reason != "it hung" || got[0].Since > -int64(2*time.Hour/time.Millisecond)+100 {
			t.Errorf("got the earlier changes %+v, want one of two hours ago", got)
		}
		if got := last(t, events, "past").Data.Changes; len(got) == 0 || got[0].Class == out {
			t.Errorf("got the changes %+v, want none of those before", got)
		}
		bands := last(t, events, "services").Data.Bands
		if got := bands["epg"]; len(got) != 2 || len(got[0]) != 3 || class(got[0][1]) != out || len(got[1]) != 2 {
			t.Errorf("got the band %v, want an earlier part first", got)
		}
		if got := bands["vod"]; len(got) != 1 {
			t.Errorf("got the band %v of the other service, want one part", got)
		}
		if n := len(only(f.open("vod").events(t), "earlier")); n != 0 {
			t.Errorf("got %d earlier events of the other service, want none", n)
		}
	})
}
