package grpchealth

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

func TestListTellsBaseNamesAndAllTogether(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		type statuses map[string]healthpb.HealthCheckResponse_ServingStatus
		list := func() statuses {
			r, err := f.client.List(t.Context(), &healthpb.HealthListRequest{})
			if err != nil {
				t.Fatal(err)
			}
			told := make(statuses)
			for name, s := range r.GetStatuses() {
				told[name] = s.GetStatus()
			}
			return told
		}
		if diff := cmp.Diff(statuses{"": notServing}, list()); diff != "" {
			t.Errorf("before any report (-want +got):\n%s", diff)
		}
		newProgram(t, f.registry, "epg").work()
		if diff := cmp.Diff(statuses{"": serving, "epg": serving}, list()); diff != "" {
			t.Errorf("with a service (-want +got):\n%s", diff)
		}
		newProgram(t, f.registry, "vod").stall()
		if diff := cmp.Diff(statuses{"": notServing, "epg": serving, "vod": notServing}, list()); diff != "" {
			t.Errorf("with a stalled one besides (-want +got):\n%s", diff)
		}
	})
}

func TestListTellsAtMostAHundredNames(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		for i := range 99 {
			newProgram(t, f.registry, fmt.Sprintf("s%d", i)).work()
		}
		r, err := f.client.List(t.Context(), &healthpb.HealthListRequest{})
		if err != nil || len(r.GetStatuses()) != 100 {
			t.Errorf("99 services: %d names, %v, want 100", len(r.GetStatuses()), err)
		}
		newProgram(t, f.registry, "s99").work()
		if _, err := f.client.List(t.Context(), &healthpb.HealthListRequest{}); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("100 services: %v, want ResourceExhausted", err)
		}
	})
}
