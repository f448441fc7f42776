package grpcstatus

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// brief says of a service what the tests look at: as "epg SERVING/none/100 1
// landmarks drained".
func brief(s *statusv1.Service) string {
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

// watch watches a name. Its messages arrive on the first channel, which is
// closed at its end, and the error with which it ends on the second.
func (f *fixture) watch(name string) (<-chan string, <-chan error) {
	f.t.Helper()
	stream, err := f.client.Watch(f.t.Context(), &statusv1.WatchRequest{Service: name})
	if err != nil {
		f.t.Fatal(err)
	}
	messages, ended := make(chan string, 100), make(chan error, 1)
	go func() {
		defer close(messages)
		for {
			r, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			messages <- brief(r.GetService())
		}
	}()
	return messages, ended
}

// wantTold fails the test unless exactly that was told since it was last
// called, or is within the rest of a Watch.
func wantTold(t *testing.T, what string, messages <-chan string, want ...string) {
	t.Helper()
	time.Sleep(rest)
	synctest.Wait()
	for _, w := range want {
		select {
		case got := <-messages:
			if got != w {
				t.Errorf("%s: told %q, want %q", what, got, w)
			}
		default:
			t.Errorf("%s: told nothing, want %q", what, w)
		}
	}
	for len(messages) > 0 {
		t.Errorf("%s: told %q, want nothing more", what, <-messages)
	}
}

const (
	epgServing  = "epg STATUS_SERVING/CAUSE_UNSPECIFIED/100"
	epgStalled  = "epg STATUS_NOT_SERVING/CAUSE_STALLED/0"
	epgDraining = "epg STATUS_NOT_SERVING/CAUSE_DRAINING/0"
	vodServing  = "vod STATUS_SERVING/CAUSE_UNSPECIFIED/100"
)

func TestWatchTellsEachChange(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := newProgram(t, f.registry, "epg")
		p.work()
		one, _ := f.watch("epg")
		all, _ := f.watch("")
		wantTold(t, "one", one, epgServing+" 1 landmarks")
		wantTold(t, "all", all, epgServing)

		p.work()
		wantTold(t, "nothing new: one", one)
		wantTold(t, "nothing new: all", all)
		p.lag(1500 * time.Millisecond)
		wantTold(t, "another weight: one", one, "epg STATUS_SERVING/CAUSE_UNSPECIFIED/50 1 landmarks")
		wantTold(t, "another weight: all", all, "epg STATUS_SERVING/CAUSE_UNSPECIFIED/50")
		p.stall()
		wantTold(t, "stalled: one", one, epgStalled+" 1 landmarks")
		wantTold(t, "stalled: all", all, epgStalled)

		newProgram(t, f.registry, "vod").work()
		wantTold(t, "another service: one", one)
		wantTold(t, "another service: all", all, vodServing)
		p.session.Disconnect()
		wantTold(t, "lost, another cause: one", one, "epg STATUS_NOT_SERVING/CAUSE_LOST/0 1 landmarks")
		wantTold(t, "lost, another cause: all", all, "epg STATUS_NOT_SERVING/CAUSE_LOST/0")
	})
}

func TestWatchTellsDrains(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		newProgram(t, f.registry, "epg").work()
		all, _ := f.watch("")
		wantTold(t, "at first", all, epgServing)
		f.registry.Drain("epg", 0)
		wantTold(t, "drained", all, epgDraining+" drained")
		f.registry.Resume("epg", 0)
		wantTold(t, "resumed", all, epgServing)
	})
}

// A drain that a worse cause hides is told all the same, at the latest with the
// next news.
func TestWatchTellsHiddenDrains(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		newProgram(t, f.registry, "epg").stall()
		all, _ := f.watch("")
		wantTold(t, "at first", all, epgStalled)
		f.registry.Drain("epg", 0)
		newProgram(t, f.registry, "vod").work()
		wantTold(t, "drained", all, epgStalled+" drained", vodServing)
	})
}

// What time alone changes is told too.
func TestWatchTellsSilence(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		newProgram(t, f.registry, "epg").work()
		one, _ := f.watch("epg")
		<-one
		begin := time.Now()
		if got := <-one; got != "epg STATUS_NOT_SERVING/CAUSE_STALE/0 1 landmarks" {
			t.Errorf("told %q, want stale", got)
		}
		if took := time.Since(begin); took < 1500*time.Millisecond || took > 1600*time.Millisecond {
			t.Errorf("told after %v, want 1.5 s", took)
		}
	})
}

func TestWatchBeginsThoughThereIsNothingToTell(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		stream, err := f.client.Watch(t.Context(), &statusv1.WatchRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if header, err := stream.Header(); header == nil || err != nil {
			t.Errorf("header %v, %v, want one", header, err)
		}
	})
}

func TestStopEndsWatches(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		newProgram(t, f.registry, "epg").work()
		one, oneEnded := f.watch("epg")
		all, allEnded := f.watch("")
		wantTold(t, "one", one, epgServing+" 1 landmarks")
		wantTold(t, "all", all, epgServing)
		f.stop()
		for _, ended := range []<-chan error{oneEnded, allEnded} {
			if err := <-ended; status.Code(err) != codes.Unavailable {
				t.Errorf("Watch ended with %v, want Unavailable", err)
			}
		}
	})
}

func TestWatchesAreLimited(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		newProgram(t, f.registry, "epg").work()
		ctx, giveUp := context.WithCancel(t.Context())
		defer giveUp()
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
			t.Errorf("one more ended with %v, want ResourceExhausted", err)
		}
		giveUp()
		synctest.Wait()
		again, _ := f.watch("epg")
		if got := <-again; got != epgServing+" 1 landmarks" {
			t.Errorf("once others ended: told %q, want %q", got, epgServing)
		}
	})
}

// slowStream is a stream whose checker takes each message when the test does.
type slowStream struct {
	grpc.ServerStreamingServer[statusv1.WatchResponse]
	ctx   context.Context
	taken chan string
}

func (s *slowStream) Context() context.Context { return s.ctx }

func (s *slowStream) SendHeader(metadata.MD) error { return nil }

func (s *slowStream) Send(r *statusv1.WatchResponse) error {
	select {
	case s.taken <- brief(r.GetService()):
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

func TestWatchTellsASlowCheckerTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t, 0)
		epg, vod := newProgram(t, r, "epg"), newProgram(t, r, "vod")
		epg.work()
		vod.stall()
		stream := &slowStream{ctx: t.Context(), taken: make(chan string)}
		go newService(r, newMemory()).Watch(&statusv1.WatchRequest{}, stream)

		synctest.Wait() // until there is a message to take
		for range 10 {
			epg.stall()
			vod.work()
			synctest.Wait()
			epg.work()
			vod.stall()
			synctest.Wait()
		}
		epg.stall()
		vod.work()
		// epg's first message was made before all that, vod's was not.
		for _, want := range []string{epgServing, vodServing, epgStalled} {
			if got := <-stream.taken; got != want {
				t.Errorf("told %q, want %q", got, want)
			}
		}
		time.Sleep(rest)
		synctest.Wait()
		select {
		case got := <-stream.taken:
			t.Errorf("told %q besides, want nothing more", got)
		default:
		}
	})
}

func TestWatchOfAllRests(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := newProgram(t, f.registry, "epg")
		p.work()
		all, _ := f.watch("")
		<-all
		time.Sleep(3 * rest) // the first change may have woken the watch twice
		p.stall()
		synctest.Wait()
		if len(all) != 1 {
			t.Fatalf("told %d changes at once after a rest, want 1", len(all))
		}
		<-all
		for range 10 {
			p.work()
			synctest.Wait()
			p.stall()
			synctest.Wait()
		}
		p.work()
		wantTold(t, "many changes", all, epgServing)
	})
}

func TestWatchGivenUpEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(newRegistry(t, time.Second), newMemory())
		for _, name := range []string{"", "held"} {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Watch(&statusv1.WatchRequest{Service: name}, &slowStream{ctx: ctx}) }()
			synctest.Wait()
			cancel()
			synctest.Wait()
			select {
			case err := <-ended:
				if status.Code(err) != codes.Canceled {
					t.Errorf("%q: %v, want Canceled", name, err)
				}
			default:
				t.Errorf("%q goes on though its checker went", name)
			}
		}
	})
}
