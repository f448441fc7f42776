package rule

import (
	"math"
	"testing"
	"time"
)

// TestStatesOfKinds checks each kind at and beyond each of its limits.
func TestStatesOfKinds(t *testing.T) {
	const at Instant = 1000
	high := Limits{DegradeAt: 100, FailAt: 200}
	low := Limits{DegradeAt: 20, FailAt: 10}
	deadline := &Declared{Kind: KindDeadline, Within: time.Second}
	awaited := &Declared{Kind: KindDeadline, Within: time.Second, StartWithin: time.Minute}
	alive := &Declared{Kind: KindAlive, Within: time.Second}
	loop := &Declared{Kind: KindLoop, Within: time.Second}
	condition := &Declared{Kind: KindCondition}
	leased := &Declared{Kind: KindCondition, TTL: time.Second}
	level := func(m Limits, value float64) Landmark {
		return Landmark{Declared: &Declared{Kind: KindLevel, Limits: m}, Reached: true, At: at, Value: value}
	}
	for _, test := range []struct {
		name  string
		l     Landmark
		after time.Duration
		want  Result
	}{
		{"an idle deadline", Landmark{Declared: deadline, At: at}, time.Hour, Result{OK, 1, Never}},
		{"work in time", Landmark{Declared: deadline, Reached: true, Open: true, At: at}, time.Second, Result{OK, 1, at.Add(time.Second) + 1}},
		{"work too long", Landmark{Declared: deadline, Reached: true, Open: true, At: at}, time.Second + 1, Result{Failing, 0, Never}},
		{"work that ended", Landmark{Declared: deadline, Reached: true, At: at}, time.Hour, Result{OK, 1, Never}},
		{"work that must come", Landmark{Declared: awaited, At: at}, time.Minute, Result{Unarmed, 1, at.Add(time.Minute) + 1}},
		{"work that never came", Landmark{Declared: awaited, At: at}, time.Minute + 1, Result{Failing, 0, Never}},

		{"a start that was extended", Landmark{Declared: awaited, At: at, ExtendedTo: at.Add(2 * time.Minute)}, 2 * time.Minute, Result{Unarmed, 1, at.Add(2*time.Minute) + 1}},
		{"one that took longer", Landmark{Declared: awaited, At: at, ExtendedTo: at.Add(2 * time.Minute)}, 2*time.Minute + 1, Result{Failing, 0, Never}},
		{"an extension that ends before", Landmark{Declared: awaited, At: at, ExtendedTo: at.Add(time.Second)}, time.Minute, Result{Unarmed, 1, at.Add(time.Minute) + 1}},
		{"an extension of nothing", Landmark{Declared: condition, At: at, ExtendedTo: at.Add(time.Second)}, time.Hour, Result{Unarmed, 1, Never}},
		{"a program that reports that it hangs", Landmark{Declared: alive, Reached: true, Triggered: true, At: at}, 0, Result{Failing, 0, Never}},
		{"one that does so before its first pass", Landmark{Declared: alive, Triggered: true, At: at}, 0, Result{Failing, 0, Never}},

		{"half of its time", Landmark{Declared: loop, Reached: true, At: at, Lag: 500 * time.Millisecond}, 0, Result{OK, 1, Never}},
		{"three quarters", Landmark{Declared: loop, Reached: true, At: at, Lag: 750 * time.Millisecond}, 0, Result{Degraded, 0.5, Never}},
		{"more than all, which only a hang takes", Landmark{Declared: loop, Reached: true, At: at, Lag: time.Hour}, 0, Result{OK, 1, Never}},
		{"the end of a hang", Landmark{Declared: loop, Reached: true, At: at, Lag: 750 * time.Millisecond, EndedHang: true}, 0, Result{OK, 1, Never}},

		{"a level never set", Landmark{Declared: &Declared{Kind: KindLevel, Limits: high}, At: at}, time.Hour, Result{Unarmed, 1, Never}},
		{"low enough", level(high, 100), 0, Result{OK, 1, Never}},
		{"rather high", level(high, 175), 0, Result{Degraded, 0.25, Never}},
		{"too high", level(high, 200), 0, Result{Failing, 0, Never}},
		{"no number", level(high, math.NaN()), 0, Result{Failing, 0, Never}},
		{"high enough", level(low, 20), 0, Result{OK, 1, Never}},
		{"rather low", level(low, 15), 0, Result{Degraded, 0.5, Never}},
		{"too low", level(low, 10), 0, Result{Failing, 0, Never}},
		{"one limit, above it", level(Limits{5, 5, false}, 5), 0, Result{Failing, 0, Never}},
		{"one limit, below it", level(Limits{5, 5, false}, 4), 0, Result{OK, 1, Never}},
		{"one lower limit, below it", level(Limits{5, 5, true}, 4), 0, Result{Failing, 0, Never}},
		{"one lower limit, above it", level(Limits{5, 5, true}, 6), 0, Result{OK, 1, Never}},

		{"a condition never set", Landmark{Declared: condition, At: at}, time.Hour, Result{Unarmed, 1, Never}},
		{"one that holds", Landmark{Declared: condition, Reached: true, Met: true, At: at}, time.Hour, Result{OK, 1, Never}},
		{"one that does not", Landmark{Declared: condition, Reached: true, At: at}, 0, Result{Failing, 0, Never}},
		{"one renewed in time", Landmark{Declared: leased, Reached: true, Met: true, At: at}, time.Second, Result{OK, 1, at.Add(time.Second) + 1}},
		{"one not renewed", Landmark{Declared: leased, Reached: true, Met: true, At: at}, time.Second + 1, Result{Failing, 0, Never}},
	} {
		if got := test.l.Evaluate(at.Add(test.after)); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestAgeLimit(t *testing.T) {
	declared := Declared{Within: time.Second, StartWithin: time.Minute, TTL: time.Hour}
	for _, test := range []struct {
		name        string
		kind        Kind
		reached     bool
		startWithin time.Duration
		want        time.Duration
	}{
		{"a pass", KindAlive, true, time.Minute, time.Second},
		{"before the first pass", KindAlive, false, time.Minute, time.Minute},
		{"a start without a limit", KindLoop, false, 0, 0},
		{"work before any has ended", KindDeadline, false, 0, time.Second},
		{"work that must come", KindDeadline, false, time.Minute, time.Minute},
		{"a condition", KindCondition, true, 0, time.Hour},
	} {
		d := declared
		d.Kind, d.StartWithin = test.kind, test.startWithin
		if got := (&Landmark{Declared: &d, Reached: test.reached}).AgeLimit(); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}
