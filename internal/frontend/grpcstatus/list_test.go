package grpcstatus

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// parse parses a service in the text format.
func parse(t *testing.T, text string) *statusv1.Service {
	t.Helper()
	s := new(statusv1.Service)
	if err := prototext.Unmarshal([]byte(text), s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestListReturnsAllServicesInOrder(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		if services, err := f.list(""); err != nil || len(services) != 0 {
			t.Errorf("before any report: %v, %v, want none", services, err)
		}
		f.newProcess("vod").Stall()
		f.newProcess("epg").Lag(1500 * time.Millisecond)
		time.Sleep(300 * time.Millisecond)
		got, err := f.list("")
		if err != nil {
			t.Fatal(err)
		}
		want := []*statusv1.Service{
			parse(t, `name: "epg"
				readiness { verdict { status: STATUS_SERVING weight: 50 }
					facts_age { nanos: 300000000 } status_age { nanos: 300000000 } changes: 2 }
				liveness { verdict { status: STATUS_SERVING weight: 100 }
					facts_age { nanos: 300000000 } status_age { nanos: 300000000 } changes: 2 }
				startup { verdict { status: STATUS_SERVING weight: 100 }
					facts_age { nanos: 300000000 } status_age { nanos: 300000000 } changes: 2 }`),
			parse(t, `name: "vod"
				readiness { verdict { status: STATUS_NOT_SERVING cause: CAUSE_STALLED reason: "main loop last answered 2.3 s ago, allowed 2 s" }
					facts_age { seconds: 2 nanos: 300000001 } status_age { nanos: 300000000 } changes: 2 }
				liveness { verdict { status: STATUS_NOT_SERVING cause: CAUSE_STALLED reason: "main loop last answered 2.3 s ago, allowed 2 s" }
					facts_age { seconds: 2 nanos: 300000001 } status_age { nanos: 300000000 } changes: 2 }
				startup { verdict { status: STATUS_SERVING weight: 100 }
					facts_age { seconds: 2 nanos: 300000001 } status_age { nanos: 300000000 } changes: 2 }`),
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestListOfOneServiceReturnsItsLandmarks(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := f.newProcess("epg",
			judge.Declared{Name: "ticks", Kind: judge.KindAlive, Impact: judge.ImpactCritical, Within: time.Second, StartWithin: time.Minute},
			judge.Declared{Name: "import", Kind: judge.KindDeadline, Impact: judge.ImpactCritical, Within: 5 * time.Second},
			judge.Declared{Name: "main loop", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: 2 * time.Second},
			judge.Declared{Name: "queue", Kind: judge.KindLevel, Impact: judge.ImpactDegrading, Limits: judge.Limits{DegradeAt: 80, FailAt: 100}},
			judge.Declared{Name: "database", Kind: judge.KindCondition, Impact: judge.ImpactReadiness, TTL: 30 * time.Second},
			judge.Declared{Name: "cache", Kind: judge.KindCondition, Impact: judge.ImpactInformational},
		)
		p.Report(
			registry.Fact{Reached: true, Age: 200 * time.Millisecond, Count: 7},
			registry.Fact{Reached: true, Age: time.Second, Count: 9, Open: true, Pending: 2},
			registry.Fact{Reached: true, Age: 100 * time.Millisecond, Count: 5, Open: true, Lag: 3 * time.Millisecond},
			registry.Fact{Reached: true, Count: 1, Value: 90},
			registry.Fact{Reached: true, Count: 1, Reason: "connection refused"},
			registry.Fact{Age: 4 * time.Second},
		)
		if _, err := f.registry.Drain("epg", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		got, err := f.list("epg")
		if err != nil {
			t.Fatal(err)
		}
		want := parse(t, `name: "epg" drained: true
			readiness { verdict { status: STATUS_NOT_SERVING cause: CAUSE_FAILED reason: "database does not hold: connection refused" }
				facts_age { nanos: 600000000 } status_age { nanos: 500000000 } changes: 2 }
			liveness { verdict { status: STATUS_SERVING weight: 100 }
				facts_age { nanos: 600000000 } status_age { nanos: 500000000 } changes: 2 }
			startup { verdict { status: STATUS_SERVING weight: 100 }
				facts_age { nanos: 600000000 } status_age { nanos: 500000000 } changes: 2 }
			landmarks { state: STATE_FAILING
				declared { name: "database" kind: KIND_CONDITION impact: IMPACT_READINESS ttl_us: 30000000 }
				fact { reached: true age_us: 500000 count: 1 reason: "connection refused" } }
			landmarks { state: STATE_DEGRADED
				declared { name: "queue" kind: KIND_LEVEL impact: IMPACT_DEGRADING limits { degrade_at: 80 fail_at: 100 } }
				fact { reached: true age_us: 500000 count: 1 value: 90 } }
			landmarks { state: STATE_UNSPECIFIED
				declared { name: "cache" kind: KIND_CONDITION impact: IMPACT_INFORMATIONAL }
				fact { age_us: 4500000 } }
			landmarks { state: STATE_OK
				declared { name: "ticks" kind: KIND_ALIVE impact: IMPACT_CRITICAL within_us: 1000000 start_within_us: 60000000 }
				fact { reached: true age_us: 700000 count: 7 } }
			landmarks { state: STATE_OK
				declared { name: "import" kind: KIND_DEADLINE impact: IMPACT_CRITICAL within_us: 5000000 }
				fact { reached: true age_us: 1500000 count: 9 open: true pending: 2 } }
			landmarks { state: STATE_OK
				declared { name: "main loop" kind: KIND_LOOP impact: IMPACT_CRITICAL within_us: 2000000 }
				fact { reached: true age_us: 600000 count: 5 open: true lag_us: 3000 } }`)
		if diff := cmp.Diff([]*statusv1.Service{want}, got, protocmp.Transform()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// A landmark that fails only because its process is gone is marked, because it was not
// failing by its last report.
func TestListMarksLandmarksThatAreOnlyPresumedToFail(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := f.newProcess("epg",
			judge.Declared{Name: "queue", Kind: judge.KindLevel, Impact: judge.ImpactReadiness, Limits: judge.Limits{DegradeAt: 80, FailAt: 100}},
			judge.Declared{Name: "database", Kind: judge.KindCondition, Impact: judge.ImpactReadiness},
		)
		p.Report(registry.Fact{Reached: true, Count: 1, Value: 10}, registry.Fact{Reached: true, Count: 1, Reason: "refused"})
		p.Session.Disconnect()
		got, err := f.list("epg")
		if err != nil {
			t.Fatal(err)
		}
		presumed := map[string]bool{}
		for _, l := range got[0].GetLandmarks() {
			if l.GetState() != statusv1.State_STATE_FAILING {
				t.Errorf("%s is %v, want it failing", l.GetDeclared().GetName(), l.GetState())
			}
			presumed[l.GetDeclared().GetName()] = l.GetPresumed()
		}
		if want := map[string]bool{"queue": true, "database": false}; !maps.Equal(presumed, want) {
			t.Errorf("presumed are %v, want %v", presumed, want)
		}
	})
}

func TestListLimitsLandmarks(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		for instance := range 3 {
			landmarks, facts := make([]judge.Declared, 1000), make([]registry.Fact, 1000)
			for i := range landmarks {
				landmarks[i] = judge.Declared{
					Name: fmt.Sprintf("%d-%d-%s", instance, i, strings.Repeat("x", 110)), Kind: judge.KindCondition, Impact: judge.ImpactReadiness,
				}
				facts[i] = registry.Fact{Reached: true, Reason: strings.Repeat("y", 255)}
			}
			frontendtest.NewInstance(t, f.registry, "epg", fmt.Sprint(instance), landmarks...).Report(facts...)
		}
		got, err := f.list("epg")
		if err != nil || len(got) != 1 || len(got[0].GetLandmarks()) != 1024 {
			t.Errorf("%d services, %v; want one with 1024 landmarks", len(got), err)
		}
	})
}

func TestListReturnsTenThousandServices(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		policies := make(map[string]registry.Policy)
		for i := range registry.MaxServices {
			policies[fmt.Sprintf("%s%d", strings.Repeat("x", 80), i)] = registry.DefaultPolicy
		}
		f.registry.Configure(policies, nil)
		got, err := f.list("")
		if err != nil || len(got) != registry.MaxServices {
			t.Errorf("%d services, %v, want %d", len(got), err, registry.MaxServices)
		}
	})
}

func TestUnknownNameIsNotFound(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.newProcess("epg").Work()
		calls := map[string]func(name string) error{
			"List": func(name string) error { _, err := f.list(name); return err },
			"Watch": func(name string) error {
				messages, ended := f.watch(name)
				for range messages {
					t.Errorf("Watch of %.20q sent a message", name)
				}
				return <-ended
			},
			"History": func(name string) error {
				_, err := f.client.History(t.Context(), &statusv1.HistoryRequest{Service: name})
				return err
			},
		}
		for name, call := range calls {
			for service, want := range map[string]string{
				"absent":                   `"absent", and it is not configured: compare`,
				"EPG":                      `"EPG", and it is not configured: compare`,
				"epg-liveness":             `means the liveness of a service`,
				"readiness":                `means the readiness of a service`,
				"epg ":                     `has the character ' '`,
				strings.Repeat("x", 3_000): "is 3000 bytes long",
			} {
				err := call(service)
				if s := status.Convert(err); s.Code() != codes.NotFound || !strings.Contains(s.Message(), want) || len(s.Message()) > 400 {
					t.Errorf("%s of %.20q: %v, want NotFound with %q", name, service, err, want)
				}
			}
		}
	})
}

func TestListWaitsDuringStartGrace(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		start := time.Now()
		time.AfterFunc(300*time.Millisecond, f.newProcess("epg").Work)
		if got, err := f.list("epg"); err != nil || len(got) != 1 || got[0].GetReadiness().GetVerdict().GetStatus() != statusv1.Status_STATUS_SERVING {
			t.Errorf("epg: %v, %v, want it serving", got, err)
		}
		if took := time.Since(start); took != 300*time.Millisecond {
			t.Errorf("epg was listed after %v, want with its first report, after 300 ms", took)
		}
		if _, err := f.list("absent"); status.Code(err) != codes.NotFound {
			t.Errorf("absent: %v, want NotFound", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("absent was not found after %v, want after the start grace of 1 s", took)
		}
	})
}

// What processes say of themselves is for those who ask for one service.
func TestListReturnsTexts(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := f.newProcess("epg")
		p.Session.SetStatusText("ready")
		p.Lag(0)
		services, err := f.list("epg")
		if err != nil || len(services) != 1 {
			t.Fatalf("got %v, %v", services, err)
		}
		want := []*statusv1.StatusText{{Instance: "a", Text: "ready"}}
		if diff := cmp.Diff(want, services[0].Texts, protocmp.Transform()); diff != "" {
			t.Errorf("the texts differ (-want +got):\n%s", diff)
		}
		if all, err := f.list(""); err != nil || len(all) != 1 || len(all[0].Texts) != 0 {
			t.Errorf("of all services: got %v, %v, want no texts", all, err)
		}
	})
}
