package grpchealth

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestCheckTellsEachAspect(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		newProgram(t, f.registry, "epg").work()
		newProgram(t, f.registry, "starting").start()
		newProgram(t, f.registry, "stalled").stall()
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

func TestCheckOfNoServiceIsNotServing(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		if got, err := f.check(""); err != nil || got != notServing {
			t.Errorf("%v, %v, want %v", got, err, notServing)
		}
	})
}

func TestCheckOfUnknownNameIsNotFound(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		newProgram(t, f.registry, "epg").work()
		for _, name := range []string{"nobody", "nobody-liveness", "EPG", "epg ", strings.Repeat("x", 256), strings.Repeat("ü", 1_000)} {
			_, err := f.check(name)
			if got := status.Code(err); got != codes.NotFound {
				t.Fatalf("%.20q: %v, want NotFound", name, err)
			}
			message := status.Convert(err).Message()
			if shown := string([]rune(name)[:min(len([]rune(name)), shownName)]); !strings.Contains(message, `"`+shown+`"`) {
				t.Errorf("%.20q: the message %q does not name the service", name, message)
			}
			if len(message) > 512 {
				t.Errorf("%.20q: the message is %d bytes long", name, len(message))
			}
		}
	})
}

func TestCheckIsHeldDuringTheStartGrace(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		begin := time.Now()
		time.AfterFunc(300*time.Millisecond, newProgram(t, f.registry, "epg").work)
		if got, err := f.check("epg"); err != nil || got != serving {
			t.Errorf("epg: %v, %v, want %v", got, err, serving)
		}
		if got := time.Since(begin); got != 300*time.Millisecond {
			t.Errorf("epg was answered after %v, want with its first report, after 300 ms", got)
		}
		if _, err := f.check("nobody"); status.Code(err) != codes.NotFound {
			t.Errorf("nobody: %v, want NotFound", err)
		}
		if got := time.Since(begin); got != time.Second {
			t.Errorf("nobody was answered after %v, want after the start grace of 1 s", got)
		}
	})
}

func TestCheckGivenUpHasNoStatus(t *testing.T) {
	// Asked of the service itself, since a client that gave up hears nothing.
	synctest.Test(t, func(t *testing.T) {
		h := &health{source: registry.New(runningClock(t), time.Second), checkers: newMemory()}
		late, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for want, ctx := range map[codes.Code]context.Context{codes.DeadlineExceeded: late, codes.Canceled: gone} {
			r, err := h.Check(ctx, &healthpb.HealthCheckRequest{Service: "epg"})
			if r != nil || status.Code(err) != want {
				t.Errorf("%v, %v, want %v", r, err, want)
			}
		}
	})
}

func TestStatusesBearTheNumbersOfTheProtocol(t *testing.T) {
	for _, s := range []judge.Status{judge.Unknown, judge.Serving, judge.NotServing, judge.ServiceUnknown} {
		if got := response(registry.Answer{Status: s}).Status.String(); got != s.String() {
			t.Errorf("%v is told as %v", s, got)
		}
	}
}

// crowded is a source with whom too many wait already.
type crowded struct{ Source }

func (crowded) Await(context.Context, []byte, time.Duration) (registry.Answer, error) {
	return registry.Answer{}, registry.ErrOverloaded
}

func TestCheckInACrowdIsUnavailable(t *testing.T) {
	h := &health{source: crowded{}}
	r, err := h.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "epg"})
	if r != nil || status.Code(err) != codes.Unavailable {
		t.Errorf("%v, %v, want %v", r, err, codes.Unavailable)
	}
}
