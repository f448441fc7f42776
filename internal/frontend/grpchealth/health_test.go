package grpchealth

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestCheckReturnsEachAspect(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.newProcess("epg").Work()
		f.newProcess("starting").Start()
		f.newProcess("stalled").Stall()
		for name, want := range map[string]healthpb.HealthCheckResponse_ServingStatus{
			"epg":                serving,
			"epg-readiness":      serving,
			"epg-liveness":       serving,
			"epg-startup":        serving,
			"starting":           notServing,
			"starting-readiness": notServing,
			"starting-liveness":  serving,
			"starting-startup":   notServing,
			"stalled":            notServing,
			"stalled-liveness":   notServing,
			"stalled-startup":    serving,
			"":                   notServing,
			"liveness":           notServing,
			"startup":            notServing,
		} {
			if got, err := f.check(name); err != nil || got != want {
				t.Errorf("%q: %v, %v, want %v", name, got, err, want)
			}
		}
	})
}

func TestCheckOfAllWithoutServicesIsNotServing(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		if got, err := f.check(""); err != nil || got != notServing {
			t.Errorf("%v, %v, want %v", got, err, notServing)
		}
	})
}

func TestCheckOfUnknownNameIsNotFound(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.newProcess("epg").Work()
		for _, name := range []string{"absent", "absent-liveness", "EPG", "epg ", strings.Repeat("x", 256), strings.Repeat("ü", 1_000)} {
			_, err := f.check(name)
			if got := status.Code(err); got != codes.NotFound {
				t.Fatalf("%.20q: %v, want NotFound", name, err)
			}
			message := status.Convert(err).Message()
			if shown := string([]rune(name)[:min(len([]rune(name)), maxShownName)]); !strings.Contains(message, `"`+shown+`"`) {
				t.Errorf("%.20q: the message %q does not contain the name", name, message)
			}
			if len(message) > 512 {
				t.Errorf("%.20q: the message is %d bytes long", name, len(message))
			}
		}
	})
}

func TestCheckWaitsDuringStartGrace(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		start := time.Now()
		time.AfterFunc(300*time.Millisecond, f.newProcess("epg").Work)
		if got, err := f.check("epg"); err != nil || got != serving {
			t.Errorf("epg: %v, %v, want %v", got, err, serving)
		}
		if got := time.Since(start); got != 300*time.Millisecond {
			t.Errorf("epg was answered after %v, want with its first report, after 300 ms", got)
		}
		if _, err := f.check("absent"); status.Code(err) != codes.NotFound {
			t.Errorf("absent: %v, want NotFound", err)
		}
		if got := time.Since(start); got != time.Second {
			t.Errorf("absent was answered after %v, want after the start grace of 1 s", got)
		}
	})
}

func TestCheckCanceledReturnsNoStatus(t *testing.T) {
	// Call the service directly: a client that gave up receives nothing.
	synctest.Test(t, func(t *testing.T) {
		s := &service{config: Config{Source: frontendtest.NewRegistry(t, time.Second), Checkers: frontendtest.NewTracker()}}
		late, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for want, ctx := range map[codes.Code]context.Context{codes.DeadlineExceeded: late, codes.Canceled: gone} {
			r, err := s.Check(ctx, &healthpb.HealthCheckRequest{Service: "epg"})
			if r != nil || status.Code(err) != want {
				t.Errorf("%v, %v, want %v", r, err, want)
			}
		}
	})
}

func TestStatusNumbersMatchProtocol(t *testing.T) {
	for _, s := range []judge.Status{judge.Unknown, judge.Serving, judge.NotServing, judge.ServiceUnknown} {
		if got := response(registry.Answer{Status: s}).Status.String(); got != s.String() {
			t.Errorf("%v is translated to %v", s, got)
		}
	}
}

// overloaded is a source on which too many wait already.
type overloaded struct{ Source }

func (overloaded) Lookup([]byte, time.Duration) (a registry.Answer, final bool) { return a, false }

func (overloaded) Await(context.Context, []byte, time.Duration) (registry.Answer, error) {
	return registry.Answer{}, registry.ErrOverloaded
}

func TestCheckOfOverloadedSourceIsUnavailable(t *testing.T) {
	s := &service{config: Config{Source: overloaded{}}}
	r, err := s.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "epg"})
	if r != nil || status.Code(err) != codes.Unavailable {
		t.Errorf("%v, %v, want %v", r, err, codes.Unavailable)
	}
}

// checkMaxAge checks epg with the given values of the metadata.
func (f *fixture) checkMaxAge(values ...string) (healthpb.HealthCheckResponse_ServingStatus, error) {
	ctx := metadata.NewOutgoingContext(f.t.Context(), metadata.MD{"landmark-max-age-ms": values})
	r, err := f.client.Check(ctx, &healthpb.HealthCheckRequest{Service: "epg"})
	return r.GetStatus(), err
}

func TestCheckMaxAgeWithYoungFactsAnswersFromMemory(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := f.newProcess("epg")
		p.Work()
		time.Sleep(100 * time.Millisecond)
		for _, age := range []string{"100", "0", "00000000100", "4294967295"} {
			if got, err := f.checkMaxAge(age); err != nil || got != serving {
				t.Errorf("max age %s: %v, %v, want %v", age, got, err, serving)
			}
		}
		if n := len(p.Commands); n != 0 {
			t.Errorf("%d get-state commands were sent, want none", n)
		}
	})
}

func TestCheckMaxAgeWithOldFactsWaitsForMainLoop(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := f.newProcess("epg")
		p.Work()
		time.Sleep(100 * time.Millisecond)
		const takes = 70 * time.Millisecond
		go func() {
			number := <-p.Commands
			time.Sleep(takes)
			p.AnswerCommand(number, registry.Fact{Reached: true})
		}()
		start := time.Now()
		if got, err := f.checkMaxAge("99"); err != nil || got != serving {
			t.Errorf("%v, %v, want %v", got, err, serving)
		}
		if got := time.Since(start); got != takes {
			t.Errorf("answered after %v, want with the main loop's answer, after %v", got, takes)
		}
	})
}

func TestCheckMaxAgeUnansweredAffectsOnlyThatChecker(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.newProcess("epg").Work()
		time.Sleep(100 * time.Millisecond)
		if got, err := f.checkMaxAge("50"); err != nil || got != notServing {
			t.Errorf("the checker that demands young facts: %v, %v, want %v", got, err, notServing)
		}
		if got, err := f.check("epg"); err != nil || got != serving {
			t.Errorf("another checker: %v, %v, want %v", got, err, serving)
		}
	})
}

func TestCheckMaxAgeRejectsInvalidValues(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.newProcess("epg").Work()
		for _, values := range [][]string{
			{""}, {"-1"}, {"+1"}, {"1.5"}, {"0x10"}, {"1_000"}, {" 1"}, {"1s"}, {"4294967296"}, {"1", "2"}, {strings.Repeat("9", 1000)},
		} {
			_, err := f.checkMaxAge(values...)
			if status.Code(err) != codes.InvalidArgument {
				t.Errorf("%.20q: %v, want InvalidArgument", values, err)
			}
			if message := status.Convert(err).Message(); !strings.Contains(message, "landmark-max-age-ms") || len(message) > 256 {
				t.Errorf("%.20q: the message %q should name the metadata and be short", values, message)
			}
		}
	})
}

func TestListReturnsServicesAndAllTogether(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		type statuses map[string]healthpb.HealthCheckResponse_ServingStatus
		list := func() statuses {
			r, err := f.client.List(t.Context(), &healthpb.HealthListRequest{})
			if err != nil {
				t.Fatal(err)
			}
			got := make(statuses)
			for name, s := range r.GetStatuses() {
				got[name] = s.GetStatus()
			}
			return got
		}
		if diff := cmp.Diff(statuses{"": notServing}, list()); diff != "" {
			t.Errorf("before any report (-want +got):\n%s", diff)
		}
		f.newProcess("epg").Work()
		if diff := cmp.Diff(statuses{"": serving, "epg": serving}, list()); diff != "" {
			t.Errorf("with a service (-want +got):\n%s", diff)
		}
		f.newProcess("vod").Stall()
		if diff := cmp.Diff(statuses{"": notServing, "epg": serving, "vod": notServing}, list()); diff != "" {
			t.Errorf("with a stalled service too (-want +got):\n%s", diff)
		}
	})
}

func TestListOfMoreThan100NamesIsResourceExhausted(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		for i := range 99 {
			f.newProcess(fmt.Sprintf("s%d", i)).Work()
		}
		r, err := f.client.List(t.Context(), &healthpb.HealthListRequest{})
		if err != nil || len(r.GetStatuses()) != 100 {
			t.Errorf("99 services: %d names, %v, want 100", len(r.GetStatuses()), err)
		}
		f.newProcess("s99").Work()
		if _, err := f.client.List(t.Context(), &healthpb.HealthListRequest{}); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("100 services: %v, want ResourceExhausted", err)
		}
	})
}

// recorded returns the checkers recorded for the services, and for unknown names.
func (f *fixture) recorded(services ...string) (all []string) {
	synctest.Wait()
	for _, service := range services {
		for _, c := range f.checkers.ByService(service) {
			all = append(all, fmt.Sprintf("%s: %s %s %d, watches %d", service, c.Address(), c.Via, c.Total, c.Watching))
		}
	}
	for _, c := range f.checkers.Unknown() {
		all = append(all, fmt.Sprintf("unknown %s: %s %s %d", c.Name, c.Address(), c.Via, c.Total))
	}
	return all
}

func (f *fixture) wantRecorded(services []string, want ...string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.recorded(services...)); diff != "" {
		f.t.Errorf("-want +got:\n%s", diff)
	}
}

func TestCheckRecordsCheckers(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.newProcess("epg").Work()
		for _, name := range []string{"epg", "epg-liveness", "", "readiness", "epgg"} {
			f.check(name)
		}
		f.wantRecorded([]string{"epg", ""},
			"epg: unix grpc-check 2, watches 0", ": unix grpc-check 2, watches 0", "unknown epgg: unix grpc-check 1")
	})
}

func TestWatchRecordsCheckers(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, name := range []string{"", "epg"} {
			if _, err := f.client.Watch(ctx, &healthpb.HealthCheckRequest{Service: name}); err != nil {
				t.Fatal(err)
			}
		}
		f.wantRecorded([]string{"epg", ""},
			": unix grpc-watch 1, watches 1", "unknown epg: unix grpc-watch 1")
		p := f.newProcess("epg")
		p.Work()
		time.Sleep(time.Second)
		p.Stall()
		time.Sleep(time.Hour)
		f.wantRecorded([]string{"epg", ""},
			"epg: unix grpc-watch 1, watches 1", ": unix grpc-watch 1, watches 1", "unknown epg: unix grpc-watch 1")
		cancel()
		f.wantRecorded([]string{"epg", ""},
			"epg: unix grpc-watch 1, watches 0", ": unix grpc-watch 1, watches 0", "unknown epg: unix grpc-watch 1")
	})
}
