package judge

import (
	"testing"
	"time"
)

func TestAnd(t *testing.T) {
	older := Verdict{Status: Serving, Weight: 100, Failing: 1, FactsAt: testNow - 5, Next: testNow + 9}
	sooner := Verdict{Status: Serving, Weight: 40, Failing: 2, FactsAt: testNow - 3, Next: testNow + 7}
	want := Verdict{Status: Serving, Weight: 40, Failing: 3, FactsAt: testNow - 5, Next: testNow + 7}
	if got := older.And(sooner); got != want {
		t.Errorf("together they are\n%+v, want\n%+v", got, want)
	}
	if got := sooner.And(older); got != want {
		t.Errorf("in the other order they are\n%+v, want\n%+v", got, want)
	}
	many := Verdict{Failing: 200}
	if got := many.And(many).Failing; got != 255 {
		t.Errorf("200 and 200 landmarks failing are %d, want 255, the highest value", got)
	}
}

func TestCanPoll(t *testing.T) {
	loop := Landmark{Declared: testMain, Reached: true}
	alive := Landmark{Declared: testFeed, Reached: true}
	slow := Landmark{Declared: &Declared{Name: "slow", Kind: KindLoop, Impact: ImpactReadiness, Within: time.Minute}, Reached: true}
	shown := Landmark{Declared: &Declared{Name: "shown", Kind: KindLoop, Impact: ImpactInformational, Within: time.Minute}, Reached: true}
	for _, test := range []struct {
		name            string
		in              Instance
		ready, liveness bool
	}{
		{"a process with a loop", Instance{Landmarks: []Landmark{alive, loop}}, true, true},
		{"one without", Instance{Landmarks: []Landmark{alive}}, false, false},
		{"one with a loop that does not affect liveness", Instance{Landmarks: []Landmark{loop, slow}}, true, false},
		{"one with a loop that affects nothing", Instance{Landmarks: []Landmark{shown}}, false, false},
		{"one whose loop was not reached yet", Instance{Landmarks: []Landmark{{Declared: testMain}}}, false, false},
		{"a newcomer", Instance{Newcomer: true, Landmarks: []Landmark{loop}}, false, false},
		{"a lost one", Instance{Presence: Vacant, Landmarks: []Landmark{loop}}, false, false},
		{"a stopped one", Instance{Presence: SaidGoodbye, Landmarks: []Landmark{loop}}, false, false},
	} {
		if ready, liveness := test.in.CanPoll(Readiness), test.in.CanPoll(Liveness); ready != test.ready || liveness != test.liveness {
			t.Errorf("%s: %v and %v, want %v and %v", test.name, ready, liveness, test.ready, test.liveness)
		}
	}
	in := Instance{Landmarks: []Landmark{slow, alive, loop}}
	if got := in.LoopWithin(); got != time.Second {
		t.Errorf("the smallest Within of its loops is %v, want 1 s", got)
	}
}
