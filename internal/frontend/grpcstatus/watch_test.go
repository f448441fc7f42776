package grpcstatus

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/registry"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// brief returns what the tests look at, such as "epg SERVING/none/100 1 landmarks
// drained".
func brief(r *statusv1.WatchResponse) string {
	s := r.GetService()
	v := s.GetReadiness().GetVerdict()
	text := fmt.Sprintf("%s %v/%v/%d", s.GetName(), v.GetStatus(), v.GetCause(), v.GetWeight())
	if n := len(s.GetLandmarks()); n > 0 {
		text += fmt.Sprintf(" %d landmarks", n)
	}
	if s.GetDrained() {
		text += " drained"
	}
	return text
}

// watch watches a name. The messages arrive on the first channel, the error with
// which the Watch ends on the second.
func (f *fixture) watch(name string) (<-chan string, <-chan error) {
	f.t.Helper()
	stream, err := f.client.Watch(f.t.Context(), &statusv1.WatchRequest{Service: name})
	if err != nil {
		f.t.Fatal(err)
	}
	return frontendtest.Receive(stream, brief)
}

// wantMessages fails the test unless exactly the given messages have arrived
// since the last call, or arrive within scanInterval.
func wantMessages(t *testing.T, when string, messages <-chan string, want ...string) {
	t.Helper()
	time.Sleep(scanInterval)
	frontendtest.WantMessages(t, when, messages, want...)
}

const (
	epgServing  = "epg STATUS_SERVING/CAUSE_UNSPECIFIED/100"
	epgStalled  = "epg STATUS_NOT_SERVING/CAUSE_STALLED/0"
	epgDraining = "epg STATUS_NOT_SERVING/CAUSE_DRAINING/0"
	vodServing  = "vod STATUS_SERVING/CAUSE_UNSPECIFIED/100"
)

func TestWatchSendsEachChange(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := f.newProcess("epg")
		p.Work()
		one, _ := f.watch("epg")
		all, _ := f.watch("")
		wantMessages(t, "one", one, epgServing+" 1 landmarks")
		wantMessages(t, "all", all, epgServing)

		p.Work()
		wantMessages(t, "no change: one", one)
		wantMessages(t, "no change: all", all)
		p.Lag(1500 * time.Millisecond)
		wantMessages(t, "another weight: one", one, "epg STATUS_SERVING/CAUSE_UNSPECIFIED/50 1 landmarks")
		wantMessages(t, "another weight: all", all, "epg STATUS_SERVING/CAUSE_UNSPECIFIED/50")
		p.Stall()
		wantMessages(t, "stalled: one", one, epgStalled+" 1 landmarks")
		wantMessages(t, "stalled: all", all, epgStalled)

		f.newProcess("vod").Work()
		wantMessages(t, "another service: one", one)
		wantMessages(t, "another service: all", all, vodServing)
		p.Session.Disconnect()
		wantMessages(t, "lost, another cause: one", one, "epg STATUS_NOT_SERVING/CAUSE_LOST/0 1 landmarks")
		wantMessages(t, "lost, another cause: all", all, "epg STATUS_NOT_SERVING/CAUSE_LOST/0")
	})
}

func TestWatchSendsDrains(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.newProcess("epg").Work()
		all, _ := f.watch("")
		wantMessages(t, "at first", all, epgServing)
		f.registry.Drain("epg", 0)
		wantMessages(t, "drained", all, epgDraining+" drained")
		f.registry.Resume("epg", 0)
		wantMessages(t, "resumed", all, epgServing)
	})
}

// A drain that a worse cause hides is sent too, at the latest with the next
// change.
func TestWatchSendsHiddenDrains(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.newProcess("epg").Stall()
		all, _ := f.watch("")
		wantMessages(t, "at first", all, epgStalled)
		f.registry.Drain("epg", 0)
		f.newProcess("vod").Work()
		wantMessages(t, "drained", all, epgStalled+" drained", vodServing)
	})
}

// A program comes back 300 ms after landmarkd has started. No watch shows that it was
// away.
func TestWatchHidesTheStartGrace(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		f.registry.Restore([]registry.Membership{{Service: "epg", Owned: true, UID: 1, Members: []registry.Member{{Instance: "a"}}}}, true)
		f.registry.BeginGrace()
		one, _ := f.watch("epg")
		all, _ := f.watch("")
		time.Sleep(300 * time.Millisecond)
		wantMessages(t, "before the program is back: one", one)
		wantMessages(t, "before the program is back: all", all)
		f.newProcess("epg").Work()
		wantMessages(t, "back: one", one, epgServing+" 1 landmarks")
		wantMessages(t, "back: all", all, epgServing)
	})
}

func TestWatchSendsStaleService(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.newProcess("epg").Work()
		one, _ := f.watch("epg")
		<-one
		start := time.Now()
		if got := <-one; got != "epg STATUS_NOT_SERVING/CAUSE_STALE/0 1 landmarks" {
			t.Errorf("received %q, want stale", got)
		}
		if took := time.Since(start); took < 1500*time.Millisecond || took > 1600*time.Millisecond {
			t.Errorf("received after %v, want 1.5 s", took)
		}
	})
}

func TestWatchSendsHeaderAtOnce(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		stream, err := f.client.Watch(t.Context(), &statusv1.WatchRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if header, err := stream.Header(); header == nil || err != nil {
			t.Errorf("header %v, %v; want a header", header, err)
		}
	})
}

func TestStopEndsWatches(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.newProcess("epg").Work()
		one, oneEnded := f.watch("epg")
		all, allEnded := f.watch("")
		wantMessages(t, "one", one, epgServing+" 1 landmarks")
		wantMessages(t, "all", all, epgServing)
		f.Stop()
		for _, ended := range []<-chan error{oneEnded, allEnded} {
			if err := <-ended; status.Code(err) != codes.Unavailable {
				t.Errorf("Watch ended with %v, want Unavailable", err)
			}
		}
	})
}

func TestWatchBeyondLimitIsResourceExhausted(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.newProcess("epg").Work()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range maxWatches {
			stream, err := f.client.Watch(ctx, &statusv1.WatchRequest{Service: "epg"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
		}
		_, ended := f.watch("epg")
		if err := <-ended; status.Code(err) != codes.ResourceExhausted {
			t.Errorf("a Watch too many ended with %v, want ResourceExhausted", err)
		}
		cancel()
		synctest.Wait()
		again, _ := f.watch("epg")
		if got := <-again; got != epgServing+" 1 landmarks" {
			t.Errorf("after others ended: received %q, want %q", got, epgServing)
		}
	})
}

func TestWatchSendsSlowClientTheLatestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := frontendtest.NewRegistry(t, 0)
		epg, vod := newProcess(t, r, "epg"), newProcess(t, r, "vod")
		epg.Work()
		vod.Stall()
		stream := frontendtest.NewSlowStream[statusv1.WatchResponse](t.Context())
		go newService(Config{Source: r, Checkers: frontendtest.NewTracker()}).Watch(&statusv1.WatchRequest{}, stream)

		synctest.Wait() // until there is a message to take
		for range 10 {
			epg.Stall()
			vod.Work()
			synctest.Wait()
			epg.Work()
			vod.Stall()
			synctest.Wait()
		}
		epg.Stall()
		vod.Work()
		// epg's first message was made before these changes, vod's after them.
		for _, want := range []string{epgServing, vodServing, epgStalled} {
			if got := brief(<-stream.Taken); got != want {
				t.Errorf("received %q, want %q", got, want)
			}
		}
		time.Sleep(scanInterval)
		synctest.Wait()
		select {
		case r := <-stream.Taken:
			t.Errorf("received %q too, want no more messages", brief(r))
		default:
		}
	})
}

func TestWatchOfAllScansAtIntervals(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := f.newProcess("epg")
		p.Work()
		all, _ := f.watch("")
		<-all
		time.Sleep(3 * scanInterval) // the first change may cause two scans
		p.Stall()
		synctest.Wait()
		if len(all) != 1 {
			t.Fatalf("received %d changes at once after an interval without changes, want 1", len(all))
		}
		<-all
		for range 10 {
			p.Work()
			synctest.Wait()
			p.Stall()
			synctest.Wait()
		}
		p.Work()
		wantMessages(t, "many changes", all, epgServing)
	})
}

func TestWatchEndsWhenCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(Config{Source: frontendtest.NewRegistry(t, time.Second), Checkers: frontendtest.NewTracker()})
		for _, name := range []string{"", "waiting"} {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				ended <- s.Watch(&statusv1.WatchRequest{Service: name}, frontendtest.NewSlowStream[statusv1.WatchResponse](ctx))
			}()
			frontendtest.WantCanceled(t, fmt.Sprintf("%q", name), cancel, ended)
		}
	})
}
