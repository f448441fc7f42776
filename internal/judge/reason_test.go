package judge

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                            "0 ms",
		999*time.Microsecond + 999:   "0 ms",
		time.Second - 1:              "999 ms",
		time.Second:                  "1 s",
		3240 * time.Millisecond:      "3.2 s",
		3250 * time.Millisecond:      "3.3 s",
		time.Minute - time.Second:    "59 s",
		time.Minute:                  "1 min 0 s",
		time.Hour - 1:                "59 min 59 s",
		time.Hour:                    "1 h 0 min",
		49*time.Hour + 7*time.Minute: "2 d 1 h",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

// TestReasonsNameTheirInstance checks that a reason names its instance if there are
// several.
func TestReasonsNameTheirInstance(t *testing.T) {
	healthy, stalled := instanceThatIs(None), instanceThatIs(Stalled)
	const reason = "main last answered 2 s ago, allowed 1 s"
	if got := Evaluate(DefaultPolicy, Service{Instances: []*Instance{stalled}}, testNow).Verdicts[Readiness].Reason(testNow); got != reason {
		t.Errorf("with one process the reason is %q, want %q", got, reason)
	}
	got := Evaluate(DefaultPolicy, Service{Instances: []*Instance{healthy, stalled}}, testNow).Verdicts[Readiness].Reason(testNow)
	if want := "instance stalled: " + reason; got != want {
		t.Errorf("with two the reason is %q, want %q", got, want)
	}
}

// TestWireNumbers checks the numbers that are used on the wire.
func TestWireNumbers(t *testing.T) {
	for i, c := range []Cause{
		None, Starting, Stalled, Failed, Lost, Stopped, Draining, Stale, Unreported, Recovering, UnknownName,
	} {
		if int(c) != i {
			t.Errorf("the cause %q is number %d, want %d", c, c, i)
		}
	}
	for i, s := range []Status{Unknown, Serving, NotServing, ServiceUnknown} {
		if int(s) != i {
			t.Errorf("the status %v is number %d, want %d", s, s, i)
		}
	}
	if KindAlive != 1 || KindLoop != 3 || ImpactCritical != 1 || ImpactInformational != 4 || Unarmed != 0 || Failing != 3 {
		t.Error("the kinds, impacts or states are not those of the monitoring protocol")
	}
}
