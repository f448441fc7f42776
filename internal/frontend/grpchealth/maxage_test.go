package grpchealth

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/registry"
)

// checkYoung asks for the status of epg with the given values of the metadata.
func (f *fixture) checkYoung(values ...string) (healthpb.HealthCheckResponse_ServingStatus, error) {
	ctx := metadata.NewOutgoingContext(f.t.Context(), metadata.MD{"landmark-max-age-ms": values})
	r, err := f.client.Check(ctx, &healthpb.HealthCheckRequest{Service: "epg"})
	return r.GetStatus(), err
}

func TestMaxAgeYoungFactsAnswerFromMemory(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := newProgram(t, f.registry, "epg")
		p.work()
		time.Sleep(100 * time.Millisecond)
		for _, age := range []string{"100", "0", "00000000100", "4294967295"} {
			if got, err := f.checkYoung(age); err != nil || got != serving {
				t.Errorf("max age %s: %v, %v, want %v", age, got, err, serving)
			}
		}
		if n := len(p.commands); n != 0 {
			t.Errorf("%d get-state commands were put, want none", n)
		}
	})
}

func TestMaxAgeOldFactsAreAskedForAnew(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := newProgram(t, f.registry, "epg")
		p.work()
		time.Sleep(100 * time.Millisecond)
		const takes = 70 * time.Millisecond
		go func() {
			number := <-p.commands
			time.Sleep(takes)
			p.report(registry.Fact{Reached: true}, number)
		}()
		begin := time.Now()
		if got, err := f.checkYoung("99"); err != nil || got != serving {
			t.Errorf("%v, %v, want %v", got, err, serving)
		}
		if got := time.Since(begin); got != takes {
			t.Errorf("answered after %v, want with the main loop's answer, after %v", got, takes)
		}
	})
}

func TestMaxAgeUnansweredIsNotServingForThatCheckerAlone(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		newProgram(t, f.registry, "epg").work()
		time.Sleep(100 * time.Millisecond)
		if got, err := f.checkYoung("50"); err != nil || got != notServing {
			t.Errorf("the checker who wants young facts: %v, %v, want %v", got, err, notServing)
		}
		if got, err := f.check("epg"); err != nil || got != serving {
			t.Errorf("another checker: %v, %v, want %v", got, err, serving)
		}
	})
}

func TestMaxAgeBadValuesAreRefused(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		newProgram(t, f.registry, "epg").work()
		for _, values := range [][]string{
			{""}, {"-1"}, {"+1"}, {"1.5"}, {"0x10"}, {"1_000"}, {" 1"}, {"1s"}, {"4294967296"}, {"1", "2"}, {strings.Repeat("9", 1000)},
		} {
			_, err := f.checkYoung(values...)
			if status.Code(err) != codes.InvalidArgument {
				t.Errorf("%.20q: %v, want InvalidArgument", values, err)
			}
			if message := status.Convert(err).Message(); !strings.Contains(message, "landmark-max-age-ms") || len(message) > 256 {
				t.Errorf("%.20q: the message %q should name the metadata and be short", values, message)
			}
		}
	})
}
