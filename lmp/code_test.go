package lmp

import (
	"fmt"
	"testing"
)

func TestNames(t *testing.T) {
	for want, code := range map[string]fmt.Stringer{
		"check":           KindCheck,
		"watch":           KindWatch,
		"describe":        KindDescribe,
		"kind 0":          Kind(0),
		"kind 9":          Kind(9),
		"unknown":         StatusUnknown,
		"serving":         StatusServing,
		"not serving":     StatusNotServing,
		"unknown service": StatusUnknownService,
		"status 4":        Status(4),
		"none":            CauseNone,
		"starting":        CauseStarting,
		"stalled":         CauseStalled,
		"failed":          CauseFailed,
		"lost":            CauseLost,
		"stopped":         CauseStopped,
		"draining":        CauseDraining,
		"stale":           CauseStale,
		"unreported":      CauseUnreported,
		"recovering":      CauseRecovering,
		"cause 11":        Cause(11),
		"alive":           LandmarkAlive,
		"deadline":        LandmarkDeadline,
		"loop":            LandmarkLoop,
		"level":           LandmarkLevel,
		"condition":       LandmarkCondition,
		"kind 255":        LandmarkKind(255),
		"unarmed":         StateUnarmed,
		"ok":              StateOK,
		"degraded":        StateDegraded,
		"failing":         StateFailing,
		"state 4":         State(4),
		"critical":        ImpactCritical,
		"readiness":       ImpactReadiness,
		"degrading":       ImpactDegrading,
		"informational":   ImpactInformational,
		"impact 0":        Impact(0),
	} {
		if got := code.String(); got != want {
			t.Errorf("%T %v is %q, want %q", code, code, got, want)
		}
	}
	if got := CauseUnknownService.String(); got != "unknown service" {
		t.Errorf("cause 10 is %q", got)
	}
}
