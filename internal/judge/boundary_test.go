package judge

import (
	"testing"
	"time"
)

// TestBoundaries checks each limit to the nanosecond: an age of exactly the limit is
// allowed, one nanosecond more is not, and the verdict before has that instant as its
// Next.
func TestBoundaries(t *testing.T) {
	const limit = 700 * time.Millisecond
	at := testNow
	process := func(l Landmark) Service {
		return Service{Instances: []*Instance{{ReportedAt: at, Started: true, Landmarks: []Landmark{l}}}}
	}
	declared := func(k Kind) *Declared {
		return &Declared{Name: "main", Kind: k, Impact: ImpactCritical, Within: limit, StartWithin: limit}
	}
	for _, test := range []struct {
		name          string
		policy        Policy
		facts         Service
		before, after Cause // of liveness, up to the limit and beyond it
	}{
		{
			name:   "alive",
			policy: DefaultPolicy,
			facts:  process(Landmark{Declared: declared(KindAlive), Reached: true, At: at}),
			after:  Stalled,
		},
		{
			name:   "loop with a command open",
			policy: DefaultPolicy,
			facts:  process(Landmark{Declared: declared(KindLoop), Reached: true, At: at, Open: true}),
			after:  Stalled,
		},
		{
			name:   "start_within of an alive",
			policy: DefaultPolicy,
			facts:  process(Landmark{Declared: declared(KindAlive), At: at}),
			after:  Stalled,
		},
		{
			name:   "start_within of a loop, a command open or not",
			policy: DefaultPolicy,
			facts:  process(Landmark{Declared: declared(KindLoop), At: at}),
			after:  Stalled,
		},
		{
			name:   "stale_after",
			policy: Policy{StaleAfter: limit, ForgetAfter: time.Hour},
			facts:  process(Landmark{Declared: declared(KindLoop), Reached: true, At: at}),
			after:  Stale,
		},
		{
			name:   "forget_after",
			policy: Policy{StaleAfter: time.Hour, ForgetAfter: limit},
			facts: Service{Instances: []*Instance{
				{Presence: Vacant, Since: at, ReportedAt: at},
				{ReportedAt: at, Started: true},
			}},
			before: Lost,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			atLimit := at.Add(limit)
			v := Evaluate(test.policy, test.facts, atLimit).Verdicts[Liveness]
			if v.Cause != test.before || v.Next != atLimit+1 {
				t.Errorf("at the limit it is %q, next in %v; want %q, next in 1ns", v.Cause, v.Next.Sub(atLimit), test.before)
			}
			if v := Evaluate(test.policy, test.facts, atLimit+1).Verdicts[Liveness]; v.Cause != test.after {
				t.Errorf("a nanosecond later it is %q, want %q", v.Cause, test.after)
			}
		})
	}
}

// TestIdleLoopNeverFails checks that a loop without an open command may sleep for any
// time.
func TestIdleLoopNeverFails(t *testing.T) {
	l := Landmark{Declared: testMain, Reached: true, At: testNow}
	for _, idle := range []time.Duration{0, time.Second, time.Hour, 100 * 365 * 24 * time.Hour} {
		if r := l.Evaluate(testNow.Add(idle)); r.State != OK || r.Next != Never {
			t.Errorf("idle for %v it is %v until %v", idle, r.State, r.Next)
		}
	}
}

// TestReaderBeforeFactsFindsThemNew checks that facts have the age 0 for a reader that
// took the time before they arrived.
func TestReaderBeforeFactsFindsThemNew(t *testing.T) {
	then := testNow.Add(-time.Millisecond)
	for _, c := range instanceCauses {
		in := instanceThatIs(c)
		in.Since = testNow
		v := Evaluate(DefaultPolicy, Service{Instances: []*Instance{in}}, testNow).Verdicts[Readiness]
		v.FactsAt = testNow
		if age := v.Age(then); age != 0 {
			t.Errorf("%s: the facts' age is %v", c, age)
		}
		if c == Lost || c == Stopped {
			if got, want := v.Reason(then), v.Reason(testNow); got != want {
				t.Errorf("%s: %q, want %q", c, got, want)
			}
		}
	}
}
