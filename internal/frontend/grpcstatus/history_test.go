package grpcstatus

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

func TestHistoryReturnsChanges(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		start := time.Now()
		p := f.newProcess("epg")
		time.Sleep(time.Second)
		p.Work()
		time.Sleep(time.Second)
		p.Stall()
		got, err := f.client.History(t.Context(), &statusv1.HistoryRequest{Service: "epg"})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(got.GetChanges()); n < 2 {
			t.Fatalf("%d changes, want at least 2", n)
		}
		last := got.GetChanges()[len(got.GetChanges())-2:]
		for i, c := range last {
			if want := start.Add(time.Duration(i+1) * time.Second); !c.GetTime().AsTime().Equal(want) {
				t.Errorf("change %d was at %v, want %v", i, c.GetTime().AsTime(), want)
			}
			if got, want := c.GetAge().AsDuration(), time.Duration(1-i)*time.Second; got != want {
				t.Errorf("change %d was %v ago, want %v", i, got, want)
			}
			c.Time, c.Age = nil, nil
		}
		want := new(statusv1.HistoryResponse)
		if err := prototext.Unmarshal([]byte(`
			changes {
				readiness { status: STATUS_SERVING weight: 100 }
				liveness { status: STATUS_SERVING weight: 100 }
				startup { status: STATUS_SERVING weight: 100 }
			}
			changes {
				readiness { status: STATUS_NOT_SERVING cause: CAUSE_STALLED reason: "main loop last answered 2 s ago, allowed 2 s" }
				liveness { status: STATUS_NOT_SERVING cause: CAUSE_STALLED reason: "main loop last answered 2 s ago, allowed 2 s" }
				startup { status: STATUS_SERVING weight: 100 }
				landmarks { state: STATE_FAILING
					declared { name: "main loop" kind: KIND_LOOP impact: IMPACT_CRITICAL within_us: 2000000 }
					fact { reached: true age_us: 2000000 open: true } }
			}`), want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.GetChanges(), last, protocmp.Transform()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestHistoryWithoutNameIsInvalid(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		_, err := f.client.History(t.Context(), &statusv1.HistoryRequest{})
		if s := status.Convert(err); s.Code() != codes.InvalidArgument || !strings.Contains(s.Message(), "name one") {
			t.Errorf("%v, want InvalidArgument", err)
		}
	})
}

func TestHistoryWaitsDuringStartGrace(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		p := f.newProcess("epg")
		time.AfterFunc(300*time.Millisecond, func() { p.Report(registry.Fact{Reached: true}) })
		if _, err := f.client.History(t.Context(), &statusv1.HistoryRequest{Service: "epg"}); err != nil {
			t.Error(err)
		}
	})
}

// What earlier sidecars have seen comes apart from what this one has, also of a service that
// this one does not know.
func TestHistoryHasEarlierChanges(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		c := registry.Change{Age: time.Hour}
		c.Verdicts[judge.Readiness] = registry.VerdictSummary{Status: judge.NotServing, Cause: judge.Stalled, Reason: "it hung"}
		f.earlier = map[string][]registry.Change{"epg": {c}, "gone": {c}}
		f.newProcess("epg").Work()
		for service, changes := range map[string]int{"epg": 1, "gone": 0} {
			got, err := f.client.History(t.Context(), &statusv1.HistoryRequest{Service: service})
			if err != nil {
				t.Fatal(err)
			}
			if len(got.GetChanges()) != changes || len(got.GetEarlier()) != 1 {
				t.Fatalf("%s: got %v", service, got)
			}
			if e := got.GetEarlier()[0]; e.GetReadiness().GetReason() != "it hung" || e.GetAge().AsDuration() != time.Hour {
				t.Errorf("%s: got %v", service, e)
			}
		}
		if _, err := f.client.History(t.Context(), &statusv1.HistoryRequest{Service: "other"}); status.Code(err) != codes.NotFound {
			t.Errorf("another service: %v, want NotFound", err)
		}
	})
}
