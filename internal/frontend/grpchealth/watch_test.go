package grpchealth

import (
	"context"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestWatchSendsEachStatusChange(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		ready, _ := f.watch("epg")
		alive, _ := f.watch("epg-liveness")
		all, _ := f.watch("")
		frontendtest.WantMessages(t, "unknown", ready, unknown)
		frontendtest.WantMessages(t, "unknown: liveness", alive, unknown)
		frontendtest.WantMessages(t, "unknown: all services", all, notServing)

		p := f.newProcess("epg")
		p.Start()
		frontendtest.WantMessages(t, "starting", ready, notServing)
		frontendtest.WantMessages(t, "starting: liveness", alive, serving)
		frontendtest.WantMessages(t, "starting: all services", all)
		p.Work()
		frontendtest.WantMessages(t, "working", ready, serving)
		frontendtest.WantMessages(t, "working: liveness", alive)
		frontendtest.WantMessages(t, "working: all services", all, serving)
		p.Stall()
		frontendtest.WantMessages(t, "stalled", ready, notServing)
		frontendtest.WantMessages(t, "stalled: liveness", alive, notServing)
		frontendtest.WantMessages(t, "stalled: all services", all, notServing)
		p.Work()
		frontendtest.WantMessages(t, "recovered", ready, serving)
		frontendtest.WantMessages(t, "recovered: liveness", alive, serving)
		frontendtest.WantMessages(t, "recovered: all services", all, serving)
	})
}

func TestWatchSendsNothingWhileStatusStaysTheSame(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := f.newProcess("epg")
		p.Stall()
		messages, _ := f.watch("epg")
		frontendtest.WantMessages(t, "stalled", messages, notServing)
		p.Start()
		frontendtest.WantMessages(t, "starting again, another cause", messages)
		f.newProcess("vod").Work()
		frontendtest.WantMessages(t, "a change of another service", messages)
		p.Session.Disconnect()
		frontendtest.WantMessages(t, "lost, another cause", messages)
	})
}

func TestWatchSendsChangeMadeByTimeAlone(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := f.newProcess("epg")
		p.Report(registry.Fact{Reached: true, Open: true, Age: frontendtest.Within - time.Second})
		messages, _ := f.watch("epg")
		if first := <-messages; first != serving {
			t.Errorf("received %v at first, want %v", first, serving)
		}
		due := time.Now().Add(time.Second)
		second := <-messages
		if late := time.Since(due); second != notServing || late < 0 || late > 50*time.Millisecond {
			t.Errorf("received %v %v after the main loop's limit, want %v at once", second, late, notServing)
		}
	})
}

func TestWatchWaitsDuringStartGrace(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		start := time.Now()
		known, _ := f.watch("epg")
		absent, _ := f.watch("absent")
		p := f.newProcess("epg")
		time.AfterFunc(300*time.Millisecond, p.Work)
		if got := <-known; got != serving || time.Since(start) != 300*time.Millisecond {
			t.Errorf("epg: received %v after %v, want %v after 300 ms", got, time.Since(start), serving)
		}
		if n := len(absent); n != 0 {
			t.Errorf("absent: received %d messages during the start grace, want none", n)
		}
		if got := <-absent; got != unknown || time.Since(start) != time.Second {
			t.Errorf("absent: received %v after %v, want %v after 1 s", got, time.Since(start), unknown)
		}
	})
}

// All services that are back become healthy while a service that is not healthy
// has yet to come back.
func TestWatchOfAllWaitsDuringStartGrace(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		epg := f.newProcess("epg")
		epg.Start()
		all, _ := f.watch("")
		frontendtest.WantMessages(t, "starting", all, notServing)
		epg.Work()
		frontendtest.WantMessages(t, "working, during the start grace", all)
		f.newProcess("vod").Stall()
		time.Sleep(time.Second)
		epg.Work()
		frontendtest.WantMessages(t, "with another service that is stalled", all)
	})
}

// The service's facts are always older than its max_age.
func TestWatchSendsNoGetStateCommand(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		policy := registry.DefaultPolicy
		policy.MaxAge = time.Millisecond
		f.registry.Configure(map[string]registry.Policy{"epg": policy}, nil)
		p := f.newProcess("epg")
		p.Work()
		time.Sleep(100 * time.Millisecond)
		messages, _ := f.watch("epg")
		frontendtest.WantMessages(t, "working", messages, serving)
		if n := len(p.Commands); n != 0 {
			t.Errorf("%d get-state commands were sent, want none", n)
		}
	})
}

func TestWatchSendsSlowCheckerTheLatestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := frontendtest.NewRegistry(t, 0)
		p := frontendtest.NewProcess(t, r, "epg")
		p.Work()
		stream := frontendtest.NewSlowStream[healthpb.HealthCheckResponse](t.Context())
		s := &service{config: Config{Source: r, Checkers: frontendtest.NewTracker()}}
		go s.Watch(&healthpb.HealthCheckRequest{Service: "epg"}, stream)
		wantNoMore := func() {
			t.Helper()
			synctest.Wait()
			select {
			case r := <-stream.Taken:
				t.Errorf("received %v too, want no more messages", r.GetStatus())
			default:
			}
		}

		synctest.Wait() // until there is a message to take
		for range 10 {
			p.Stall()
			synctest.Wait()
			p.Work()
			synctest.Wait()
		}
		p.Stall()
		for _, want := range []healthpb.HealthCheckResponse_ServingStatus{serving, notServing} {
			if got := (<-stream.Taken).GetStatus(); got != want {
				t.Errorf("received %v, want %v", got, want)
			}
		}
		wantNoMore()

		p.Work()
		synctest.Wait()
		for range 10 {
			p.Stall()
			p.Work()
		}
		if got := (<-stream.Taken).GetStatus(); got != serving {
			t.Errorf("received %v, want %v", got, serving)
		}
		wantNoMore()
	})
}

// busySource is a source for whose answers too many wait, so many times.
type busySource struct {
	Source
	busy atomic.Int32
}

func (s *busySource) Await(ctx context.Context, name []byte, maxAge time.Duration) (registry.Answer, error) {
	if s.busy.Add(-1) >= 0 {
		return registry.Answer{}, registry.ErrOverloaded
	}
	return s.Source.Await(ctx, name, maxAge)
}

// A Watch goes on, though too many wait for its answer.
func TestWatchOutlastsOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := frontendtest.NewRegistry(t, 0)
		p := frontendtest.NewProcess(t, r, "epg")
		p.Work()
		ctx, cancel := context.WithCancel(t.Context())
		stream := frontendtest.NewSlowStream[healthpb.HealthCheckResponse](ctx)
		source := &busySource{Source: r}
		source.busy.Store(3)
		s := &service{config: Config{Source: source, Checkers: frontendtest.NewTracker()}}
		ended := make(chan error, 1)
		go func() { ended <- s.Watch(&healthpb.HealthCheckRequest{Service: "epg"}, stream) }()
		if got := (<-stream.Taken).GetStatus(); got != serving {
			t.Errorf("received %v, want %v", got, serving)
		}
		synctest.Wait()
		source.busy.Store(3)
		p.Stall()
		if got := (<-stream.Taken).GetStatus(); got != notServing || source.busy.Load() >= 0 {
			t.Errorf("received %v while too many waited %d times more, want %v after that", got, source.busy.Load(), notServing)
		}
		source.busy.Store(math.MaxInt32)
		p.Work()
		synctest.Wait()
		frontendtest.WantCanceled(t, "waiting for others that wait", cancel, ended)
	})
}

// A Watch for whose answer too many wait sends a change at once if its answer is final by
// then.
func TestWatchSendsAFinalChangeAfterOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := frontendtest.NewRegistry(t, 0)
		p := frontendtest.NewProcess(t, r, "epg")
		p.Work()
		stream := frontendtest.NewSlowStream[healthpb.HealthCheckResponse](t.Context())
		source := &busySource{Source: r}
		s := &service{config: Config{Source: source, Checkers: frontendtest.NewTracker()}}
		go s.Watch(&healthpb.HealthCheckRequest{Service: "epg"}, stream)
		if got := (<-stream.Taken).GetStatus(); got != serving {
			t.Errorf("received %v, want %v", got, serving)
		}
		source.busy.Store(2)
		p.Stall()
		synctest.Wait()
		p.Work()
		synctest.Wait()
		changed := time.Now()
		p.Stall()
		if got := (<-stream.Taken).GetStatus(); got != notServing || !time.Now().Equal(changed) {
			t.Errorf("received %v after %v, want %v at once", got, time.Since(changed), notServing)
		}
	})
}

func TestWatchEndsWhenCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{config: Config{Source: frontendtest.NewRegistry(t, time.Second), Checkers: frontendtest.NewTracker()}}
		for _, when := range []string{"waiting for the first answer", "after the first answer"} {
			ctx, cancel := context.WithCancel(t.Context())
			stream := frontendtest.NewSlowStream[healthpb.HealthCheckResponse](ctx)
			ended := make(chan error, 1)
			go func() { ended <- s.Watch(&healthpb.HealthCheckRequest{Service: "epg"}, stream) }()
			if when == "after the first answer" {
				<-stream.Taken
			}
			frontendtest.WantCanceled(t, when, cancel, ended)
		}
	})
}
