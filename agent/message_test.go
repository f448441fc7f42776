package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/collector"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

func TestEveryKindIsDeclaredAndReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		reader := marks.Alive("reader", 4*time.Second)
		answering := marks.Deadline("answering", 5*time.Second)
		loop := marks.Loop("main loop", 8*time.Second)
		queue := marks.Level("queue", landmark.Above(100, 1000))
		disk := marks.Level("disk", landmark.Below(10, 5))
		db := marks.Condition("db", landmark.TTL(time.Minute))

		reader.Reach()
		answering.Begin()
		answering.Begin()
		queue.Set(750)
		disk.Set(6.5)
		db.Set(false, "no route to host")
		collector.Of(&marks).Landmarks()[2].SendCommand(time.Now())
		answer(loop) // the later commands stay open
		st := newFakeStream(t, &marks)

		const second = 1_000_000 // microseconds
		wantDeclared := []*reportv1.Landmark{
			{Name: "reader", Kind: reportv1.Kind_KIND_ALIVE, Impact: reportv1.Impact_IMPACT_CRITICAL, WithinUs: 4 * second},
			{Name: "answering", Kind: reportv1.Kind_KIND_DEADLINE, Impact: reportv1.Impact_IMPACT_CRITICAL, WithinUs: 5 * second},
			{Name: "main loop", Kind: reportv1.Kind_KIND_LOOP, Impact: reportv1.Impact_IMPACT_CRITICAL, WithinUs: 8 * second},
			{Name: "queue", Kind: reportv1.Kind_KIND_LEVEL, Impact: reportv1.Impact_IMPACT_DEGRADING,
				Limits: &reportv1.Limits{DegradeAt: 100, FailAt: 1000}},
			{Name: "disk", Kind: reportv1.Kind_KIND_LEVEL, Impact: reportv1.Impact_IMPACT_DEGRADING,
				Limits: &reportv1.Limits{DegradeAt: 10, FailAt: 5, Below: true}},
			{Name: "db", Kind: reportv1.Kind_KIND_CONDITION, Impact: reportv1.Impact_IMPACT_READINESS, TtlUs: 60 * second},
		}
		if diff := cmp.Diff(wantDeclared, st.declaration(), protocmp.Transform()); diff != "" {
			t.Errorf("declared (-want +got):\n%s", diff)
		}

		wantFacts := []*reportv1.Fact{
			{Reached: true, AgeUs: second, Count: 1},
			{Reached: true, AgeUs: second, Count: 2, Open: true, Pending: 2},
			{Reached: true, AgeUs: second, Count: 1, Open: true},
			{Reached: true, AgeUs: second, Count: 1, Value: 750},
			{Reached: true, AgeUs: second, Count: 1, Value: 6.5},
			{Reached: true, AgeUs: second, Count: 1, Reason: "no route to host"},
		}
		if diff := cmp.Diff(wantFacts, st.until(time.Second).Facts, protocmp.Transform()); diff != "" {
			t.Errorf("reported (-want +got):\n%s", diff)
		}
	})
}
