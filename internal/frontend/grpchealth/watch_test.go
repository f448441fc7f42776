package grpchealth

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/registry"
)

// told is a message of a Watch.
type told struct {
	status healthpb.HealthCheckResponse_ServingStatus
	at     time.Time
}

// watch watches a name. Its messages arrive on the first channel, the error
// with which it ends on the second.
func (f *fixture) watch(name string) (<-chan told, <-chan error) {
	f.t.Helper()
	stream, err := f.client.Watch(f.t.Context(), &healthpb.HealthCheckRequest{Service: name})
	if err != nil {
		f.t.Fatal(err)
	}
	messages, ended := make(chan told, 100), make(chan error, 1)
	go func() {
		for {
			r, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			messages <- told{r.GetStatus(), time.Now()}
		}
	}()
	return messages, ended
}

// wantTold fails the test unless exactly the given statuses were told since
// it was last called.
func wantTold(t *testing.T, what string, messages <-chan told, want ...healthpb.HealthCheckResponse_ServingStatus) {
	t.Helper()
	synctest.Wait()
	for _, w := range want {
		select {
		case m := <-messages:
			if m.status != w {
				t.Errorf("%s: told %v, want %v", what, m.status, w)
			}
		default:
			t.Errorf("%s: told nothing, want %v", what, w)
		}
	}
	for len(messages) > 0 {
		t.Errorf("%s: told %v, want nothing more", what, (<-messages).status)
	}
}

func TestWatchTellsEachChangeOfStatus(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		ready, _ := f.watch("epg")
		alive, _ := f.watch("epg-liveness")
		all, _ := f.watch("")
		wantTold(t, "unknown", ready, unknown)
		wantTold(t, "unknown: liveness", alive, unknown)
		wantTold(t, "unknown: all services", all, notServing)

		p := newProgram(t, f.registry, "epg")
		p.start()
		wantTold(t, "starting", ready, notServing)
		wantTold(t, "starting: liveness", alive, serving)
		wantTold(t, "starting: all services", all)
		p.work()
		wantTold(t, "working", ready, serving)
		wantTold(t, "working: liveness", alive)
		wantTold(t, "working: all services", all, serving)
		p.stall()
		wantTold(t, "stalled", ready, notServing)
		wantTold(t, "stalled: liveness", alive, notServing)
		wantTold(t, "stalled: all services", all, notServing)
		p.work()
		wantTold(t, "recovered", ready, serving)
		wantTold(t, "recovered: liveness", alive, serving)
		wantTold(t, "recovered: all services", all, serving)
	})
}

func TestWatchIsSilentWhileTheStatusStands(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := newProgram(t, f.registry, "epg")
		p.stall()
		messages, _ := f.watch("epg")
		wantTold(t, "stalled", messages, notServing)
		p.start()
		wantTold(t, "starting anew, another cause", messages)
		newProgram(t, f.registry, "vod").work()
		wantTold(t, "another service's change", messages)
		p.session.Disconnect()
		wantTold(t, "lost, another cause", messages)
	})
}

func TestWatchTellsWhatTimeAloneChanges(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := newProgram(t, f.registry, "epg")
		p.report(registry.Fact{Reached: true, Open: true, Age: within - time.Second}, 0)
		messages, _ := f.watch("epg")
		first := <-messages
		if first.status != serving {
			t.Errorf("told %v at first, want %v", first.status, serving)
		}
		due := first.at.Add(time.Second)
		second := <-messages
		if late := second.at.Sub(due); second.status != notServing || late < 0 || late > 50*time.Millisecond {
			t.Errorf("told %v %v after the main loop's time ran out, want %v at once", second.status, late, notServing)
		}
	})
}

func TestWatchIsHeldDuringTheStartGrace(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		begin := time.Now()
		known, _ := f.watch("epg")
		nobody, _ := f.watch("nobody")
		p := newProgram(t, f.registry, "epg")
		time.AfterFunc(300*time.Millisecond, p.work)
		if m := <-known; m.status != serving || m.at.Sub(begin) != 300*time.Millisecond {
			t.Errorf("epg: told %v after %v, want %v after 300 ms", m.status, m.at.Sub(begin), serving)
		}
		if m := <-nobody; m.status != unknown || m.at.Sub(begin) != time.Second {
			t.Errorf("nobody: told %v after %v, want %v after 1 s", m.status, m.at.Sub(begin), unknown)
		}
	})
}

// TestWatchOfAllIsHeldDuringTheStartGrace has all services that are back become
// well while one that is not has yet to come back.
func TestWatchOfAllIsHeldDuringTheStartGrace(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		epg := newProgram(t, f.registry, "epg")
		epg.start()
		all, _ := f.watch("")
		wantTold(t, "starting", all, notServing)
		epg.work()
		wantTold(t, "working, in the start grace", all)
		newProgram(t, f.registry, "vod").stall()
		time.Sleep(time.Second)
		epg.work()
		wantTold(t, "with another that is stalled", all)
	})
}

// TestWatchHasNobodyAsked holds that a program which would be too slow for the
// service's max_age is told as what it is, and not asked.
func TestWatchHasNobodyAsked(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		policy := registry.DefaultPolicy
		policy.MaxAge = time.Millisecond
		f.registry.Configure(map[string]registry.Policy{"epg": policy}, nil)
		p := newProgram(t, f.registry, "epg")
		p.work()
		time.Sleep(100 * time.Millisecond)
		messages, _ := f.watch("epg")
		wantTold(t, "working", messages, serving)
		if n := len(p.commands); n != 0 {
			t.Errorf("%d get-state commands were put, want none", n)
		}
	})
}

// slowStream is a stream whose checker takes each message when the test does.
type slowStream struct {
	grpc.ServerStreamingServer[healthpb.HealthCheckResponse]
	ctx   context.Context
	taken chan healthpb.HealthCheckResponse_ServingStatus
}

func (s *slowStream) Context() context.Context { return s.ctx }

func (s *slowStream) Send(r *healthpb.HealthCheckResponse) error {
	select {
	case s.taken <- r.GetStatus():
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

func TestWatchTellsASlowCheckerTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := registry.New(runningClock(t), 0)
		p := newProgram(t, r, "epg")
		p.work()
		stream := &slowStream{ctx: t.Context(), taken: make(chan healthpb.HealthCheckResponse_ServingStatus)}
		h := &health{source: r, checkers: newMemory()}
		go h.Watch(&healthpb.HealthCheckRequest{Service: "epg"}, stream)
		nothingMore := func() {
			t.Helper()
			synctest.Wait()
			select {
			case got := <-stream.taken:
				t.Errorf("told %v besides, want nothing more", got)
			default:
			}
		}

		synctest.Wait() // until there is a message to take
		for range 10 {
			p.stall()
			synctest.Wait()
			p.work()
			synctest.Wait()
		}
		p.stall()
		for _, want := range []healthpb.HealthCheckResponse_ServingStatus{serving, notServing} {
			if got := <-stream.taken; got != want {
				t.Errorf("told %v, want %v", got, want)
			}
		}
		nothingMore()

		p.work()
		synctest.Wait()
		for range 10 {
			p.stall()
			p.work()
		}
		if got := <-stream.taken; got != serving {
			t.Errorf("told %v, want %v", got, serving)
		}
		nothingMore()
	})
}

func TestWatchGivenUpEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &health{source: registry.New(runningClock(t), time.Second), checkers: newMemory()}
		for _, held := range []bool{true, false} {
			ctx, cancel := context.WithCancel(t.Context())
			stream := &slowStream{ctx: ctx, taken: make(chan healthpb.HealthCheckResponse_ServingStatus)}
			ended := make(chan error, 1)
			go func() { ended <- h.Watch(&healthpb.HealthCheckRequest{Service: "epg"}, stream) }()
			if !held {
				<-stream.taken
			}
			synctest.Wait()
			cancel()
			synctest.Wait()
			select {
			case err := <-ended:
				if status.Code(err) != codes.Canceled {
					t.Errorf("held %v: %v, want Canceled", held, err)
				}
			default:
				t.Errorf("held %v: goes on though its checker went", held)
			}
		}
	})
}
