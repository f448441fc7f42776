package judge

import (
	"testing"
	"time"
)

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

// TestReasonsOfProcessesThatNotify checks that no reason speaks of a connection where
// there is none.
func TestReasonsOfProcessesThatNotify(t *testing.T) {
	at := testNow.Add(-3 * time.Second)
	alive := &Declared{Name: "watchdog", Kind: KindAlive, Impact: ImpactCritical, Within: time.Hour}
	for want, in := range map[string]*Instance{
		"the program said that it stops, and ended 3 s ago":        {Presence: SaidGoodbye, Since: at},
		"the process ended 3 s ago without saying that it stops":   {Presence: Vacant, Since: at},
		"the process exists but does not run: it last ran 3 s ago": {ReportedAt: at},
		"watchdog: the program reports that it hangs":              {ReportedAt: testNow, Landmarks: []Landmark{{Declared: alive, Reached: true, At: at, Triggered: true}}},
	} {
		in.Notifies = true
		if got := Evaluate(DefaultPolicy, Service{Instances: []*Instance{in}}, testNow).Verdicts[Readiness].Reason(testNow); got != want {
			t.Errorf("the reason is %q, want %q", got, want)
		}
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
