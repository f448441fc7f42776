package lmp

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// The protocol's value for each of the judge's. The tests check by the judge's
// names that none is missing.
var (
	statuses = map[judge.Status]lmp.Status{
		judge.Unknown:        lmp.StatusUnknown,
		judge.Serving:        lmp.StatusServing,
		judge.NotServing:     lmp.StatusNotServing,
		judge.ServiceUnknown: lmp.StatusUnknownService,
	}
	causes = map[judge.Cause]lmp.Cause{
		judge.None:        lmp.CauseNone,
		judge.Starting:    lmp.CauseStarting,
		judge.Stalled:     lmp.CauseStalled,
		judge.Failed:      lmp.CauseFailed,
		judge.Lost:        lmp.CauseLost,
		judge.Stopped:     lmp.CauseStopped,
		judge.Draining:    lmp.CauseDraining,
		judge.Stale:       lmp.CauseStale,
		judge.Unreported:  lmp.CauseUnreported,
		judge.Recovering:  lmp.CauseRecovering,
		judge.UnknownName: lmp.CauseUnknownService,
	}
	kinds = map[judge.Kind]lmp.LandmarkKind{
		judge.KindAlive: lmp.LandmarkAlive,
		judge.KindLoop:  lmp.LandmarkLoop,
	}
	impacts = map[judge.Impact]lmp.Impact{
		judge.ImpactCritical:      lmp.ImpactCritical,
		judge.ImpactReadiness:     lmp.ImpactReadiness,
		judge.ImpactDegrading:     lmp.ImpactDegrading,
		judge.ImpactInformational: lmp.ImpactInformational,
	}
	states = map[judge.State]lmp.State{
		judge.Unarmed:  lmp.StateUnarmed,
		judge.OK:       lmp.StateOK,
		judge.Degraded: lmp.StateDegraded,
		judge.Failing:  lmp.StateFailing,
	}
)

// Only a serving verdict is translated to an answer that begins as a serving one.
func TestOnlyServingHasServingPrefix(t *testing.T) {
	serving := []byte{0x4C, 0x4D, 0x01, 0x81, 0x01}
	for number := range 256 {
		for cause := range 256 {
			a := registry.Answer{Status: judge.Status(number), Cause: judge.Cause(cause), Weight: 100}
			answer := translate(lmp.Request{Kind: lmp.KindCheck}, &a)
			b := lmp.AppendAnswer(nil, &answer, lmp.MaxDatagram, nil)
			if got, want := bytes.HasPrefix(b, serving), a.Status == judge.Serving; got != want {
				t.Fatalf("status %v, cause %v: % X", a.Status, a.Cause, b)
			}
		}
	}
}

func TestStatusesAndCausesAreTranslated(t *testing.T) {
	for number := range 256 {
		status, cause := judge.Status(number), judge.Cause(number)
		a := registry.Answer{Status: status, Cause: cause}
		got := translate(lmp.Request{Kind: lmp.KindCheck}, &a)
		if want, known := statuses[status]; known != (status.String() != judge.Status(255).String()) {
			t.Errorf("statuses contains status %v: %v", status, known)
		} else if known && got.Status != want {
			t.Errorf("status %v is translated to %v", status, got.Status)
		}
		if want, known := causes[cause]; known != (cause.String() != judge.Cause(255).String()) {
			t.Errorf("causes contains cause %v: %v", cause, known)
		} else if known && (got.Cause != want || got.Cause.String() != cause.String()) {
			t.Errorf("cause %v is translated to %v", cause, got.Cause)
		}
	}
}

func TestLandmarksAreTranslated(t *testing.T) {
	for kind, wantKind := range kinds {
		for impact, wantImpact := range impacts {
			for state, wantState := range states {
				declared := judge.Declared{Name: "main loop", Kind: kind, Impact: impact}
				record := judge.LandmarkState{Landmark: &judge.Landmark{Declared: &declared, Lag: 4 * time.Millisecond}, State: state}
				got := translateLandmarks([]registry.Landmark{{LandmarkState: record, Age: time.Second}})
				want := []lmp.Landmark{{Kind: wantKind, State: wantState, Impact: wantImpact, Age: time.Second, Name: "main loop"}}
				if kind == judge.KindLoop {
					want[0].Value = 0.004
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			}
		}
	}
}

func TestNumbersSurviveEncoding(t *testing.T) {
	a := registry.Answer{
		Status: judge.Serving, Weight: 40, Failing: 3,
		Age: 120 * time.Millisecond, StatusAge: 24 * time.Hour, Changes: 7,
	}
	q := lmp.Request{Kind: lmp.KindCheck, Nonce: 9}
	answer := translate(q, &a)
	got, err := lmp.ParseAnswer(lmp.AppendAnswer(nil, &answer, lmp.MaxDatagram, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := lmp.Answer{
		Kind: lmp.KindCheck, Status: lmp.StatusServing, Nonce: 9, Weight: 40, Failing: 3, Degraded: true,
		Age: 120 * time.Millisecond, StatusAge: 24 * time.Hour, Changes: 7,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct {
		status judge.Status
		weight uint8
		want   bool
	}{{judge.Serving, 100, false}, {judge.Serving, 99, true}, {judge.NotServing, 0, false}} {
		a := registry.Answer{Status: tt.status, Weight: tt.weight}
		if got := translate(q, &a).Degraded; got != tt.want {
			t.Errorf("%v at weight %d: degraded %v", tt.status, tt.weight, got)
		}
	}
}

func TestOnlyDescribeHasReasonAndLandmarks(t *testing.T) {
	r, p := newRegistry(t)
	p.Report(hung())
	a, _ := r.Lookup([]byte("epg"), 0)
	for _, kind := range []lmp.Kind{lmp.KindCheck, lmp.KindWatch, lmp.KindDescribe} {
		got := translate(lmp.Request{Kind: kind}, &a)
		if want := kind == lmp.KindDescribe; (got.Reason != "") != want || (len(got.Landmarks) == 1) != want {
			t.Errorf("%v: %+v", kind, got)
		}
	}
	if a, _ = r.Lookup([]byte(""), 0); !slices.Equal(translate(lmp.Request{Kind: lmp.KindDescribe}, &a).Landmarks, nil) {
		t.Error("the answer about all services has landmarks, want none")
	}
}
