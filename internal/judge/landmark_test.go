package judge

import (
	"testing"
	"time"
)

// TestKindsAndImpacts checks that the kind of a failing landmark decides the cause,
// and that a degrading one only lowers the weight, to 1 at least.
func TestKindsAndImpacts(t *testing.T) {
	const now Instant = 1000
	healthy := Landmark{Declared: &Declared{Kind: KindLoop, Impact: ImpactCritical, Within: time.Second}, Reached: true, At: now}
	for _, test := range []struct {
		kind      Kind
		impact    Impact
		readiness Cause
		liveness  Cause
		weight    uint8
	}{
		{KindCondition, ImpactReadiness, Failed, None, 0},
		{KindCondition, ImpactCritical, Failed, Failed, 0},
		{KindCondition, ImpactDegrading, None, None, 1},
		{KindCondition, ImpactInformational, None, None, 100},
	} {
		bad := Landmark{Declared: &Declared{Kind: test.kind, Impact: test.impact}, Reached: true, At: now}
		in := &Instance{ReportedAt: now, Started: true, Landmarks: []Landmark{healthy, bad}}
		v := Evaluate(DefaultPolicy, Service{Instances: []*Instance{in}}, now).Verdicts
		if r, l := v[Readiness], v[Liveness]; r.Cause != test.readiness || l.Cause != test.liveness || r.Weight != test.weight {
			t.Errorf("impact %d: %q at weight %d, liveness %q; want %+v", test.impact, r.Cause, r.Weight, l.Cause, test)
		}
	}
}
