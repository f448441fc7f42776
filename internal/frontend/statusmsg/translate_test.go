package statusmsg

import (
	"strings"
	"testing"

	"github.com/landmark-health/landmark/internal/judge"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// translate casts the numbers, so the names must agree.
func TestEnumNumbersMatchJudge(t *testing.T) {
	for _, s := range []judge.Status{judge.Serving, judge.NotServing} {
		if got := strings.TrimPrefix(statusv1.Status(s).String(), "STATUS_"); got != s.String() {
			t.Errorf("%v is translated to %v", s, got)
		}
	}
	for c := judge.Starting; c < judge.UnknownName; c++ {
		if got := strings.ToLower(strings.TrimPrefix(statusv1.Cause(c).String(), "CAUSE_")); got != c.String() {
			t.Errorf("%v is translated to %v", c, got)
		}
	}
	for want, got := range map[statusv1.State]judge.State{
		statusv1.State_STATE_UNSPECIFIED: judge.Unarmed,
		statusv1.State_STATE_OK:          judge.OK,
		statusv1.State_STATE_DEGRADED:    judge.Degraded,
		statusv1.State_STATE_FAILING:     judge.Failing,
	} {
		if statusv1.State(got) != want {
			t.Errorf("state %d is translated to %v, want %v", got, statusv1.State(got), want)
		}
	}
	for want, got := range map[reportv1.Kind]judge.Kind{
		reportv1.Kind_KIND_ALIVE:     judge.KindAlive,
		reportv1.Kind_KIND_DEADLINE:  judge.KindDeadline,
		reportv1.Kind_KIND_LOOP:      judge.KindLoop,
		reportv1.Kind_KIND_LEVEL:     judge.KindLevel,
		reportv1.Kind_KIND_CONDITION: judge.KindCondition,
	} {
		if reportv1.Kind(got) != want {
			t.Errorf("kind %d is translated to %v, want %v", got, reportv1.Kind(got), want)
		}
	}
	for want, got := range map[reportv1.Impact]judge.Impact{
		reportv1.Impact_IMPACT_CRITICAL:      judge.ImpactCritical,
		reportv1.Impact_IMPACT_READINESS:     judge.ImpactReadiness,
		reportv1.Impact_IMPACT_DEGRADING:     judge.ImpactDegrading,
		reportv1.Impact_IMPACT_INFORMATIONAL: judge.ImpactInformational,
	} {
		if reportv1.Impact(got) != want {
			t.Errorf("impact %d is translated to %v, want %v", got, reportv1.Impact(got), want)
		}
	}
}
