package judge

import (
	"fmt"
	"testing"
	"time"
)

// wantPrecedence lists the causes by precedence: if several hold, the verdict has
// the first.
var wantPrecedence = []Cause{
	UnknownName, Unreported, Stopped, Lost, Stale, Stalled, Failed, Draining, Starting, Recovering, None,
}

func TestPrecedenceOfEveryPair(t *testing.T) {
	if len(wantPrecedence) != len(causeNames) {
		t.Fatalf("%d causes have a precedence, want %d", len(wantPrecedence), len(causeNames))
	}
	verdict := func(c Cause) Verdict {
		if c == None {
			return Verdict{Status: Serving, Cause: c, Weight: 100}
		}
		return Verdict{Status: NotServing, Cause: c}
	}
	for i, first := range wantPrecedence {
		for _, second := range wantPrecedence[i:] {
			for _, both := range []Verdict{verdict(first).And(verdict(second)), verdict(second).And(verdict(first))} {
				if both.Cause != first {
					t.Errorf("%q and %q together are %q", first, second, both.Cause)
				}
				if serving := first == None; (both.Status == Serving) != serving || (both.Weight > 0) != serving {
					t.Errorf("%q and %q together are %v with weight %d", first, second, both.Status, both.Weight)
				}
			}
		}
	}
}

const testNow = Instant(time.Hour)

var (
	testMain = &Declared{Name: "main", Kind: KindLoop, Impact: ImpactCritical, Within: time.Second, StartWithin: time.Minute}
	testFeed = &Declared{Name: "feed", Kind: KindAlive, Impact: ImpactReadiness, Within: time.Second}
)

// instanceThatIs returns an instance with the given cause; see causesOf.
func instanceThatIs(c Cause) *Instance {
	in := &Instance{Name: c.String(), ReportedAt: testNow, Started: true, Landmarks: []Landmark{
		{Declared: testMain, Reached: true, At: testNow},
		{Declared: testFeed, Reached: true, At: testNow},
	}}
	switch c {
	case Stopped:
		in.Presence = SaidGoodbye
	case Lost:
		in.Presence = Vacant
	case Stale:
		in.ReportedAt -= Instant(time.Minute)
	case Stalled:
		in.Landmarks[0].Open, in.Landmarks[0].At = true, testNow.Add(-2*time.Second)
	case Starting:
		in.Started = false
		in.Landmarks[1].Reached = false
	}
	return in
}

// causesOf returns the cause of each aspect for instanceThatIs(c).
func causesOf(c Cause) [Aspects]Cause {
	switch c {
	case Stopped, Lost:
		return [Aspects]Cause{Readiness: c, Liveness: c, Startup: c}
	case Stale, Stalled: // it has started before
		return [Aspects]Cause{Readiness: c, Liveness: c, Startup: None}
	case Starting: // it is alive
		return [Aspects]Cause{Readiness: c, Liveness: None, Startup: c}
	default:
		return [Aspects]Cause{}
	}
}

// instanceCauses are the causes that one process with an Alive and a Loop can have,
// by precedence.
var instanceCauses = []Cause{Stopped, Lost, Stale, Stalled, Starting, None}

func TestPrecedenceAmongInstances(t *testing.T) {
	for i, first := range instanceCauses {
		for _, second := range instanceCauses[i:] {
			for _, pair := range [][2]Cause{{first, second}, {second, first}} {
				t.Run(fmt.Sprint(pair), func(t *testing.T) {
					facts := Service{Instances: []*Instance{instanceThatIs(pair[0]), instanceThatIs(pair[1])}}
					for a, v := range Evaluate(DefaultPolicy, facts, testNow).Verdicts {
						want := causesOf(first)[a]
						if other := causesOf(second)[a]; other.precedes(want) {
							want = other
						}
						if v.Cause != want || (v.Status == Serving) != (want == None) {
							t.Errorf("%s is %v, %q, want %q", Aspect(a), v.Status, v.Cause, want)
						}
					}
				})
			}
		}
	}
}

func TestPrecedenceWithinOneInstance(t *testing.T) {
	long := -Instant(time.Minute)
	for _, test := range []struct {
		name    string
		worsen  func(in *Instance)
		want    [Aspects]Cause
		because string // the landmark that gave readiness its cause
	}{
		{
			name:    "a stall precedes a start",
			worsen:  func(in *Instance) { in.Landmarks[1].Reached, in.Landmarks[1].At = false, testNow+long },
			want:    [Aspects]Cause{Stalled, Stalled, None},
			because: "main",
		},
		{
			name:   "silence precedes a stall",
			worsen: func(in *Instance) { in.ReportedAt += long },
			want:   [Aspects]Cause{Stale, Stale, None},
		},
		{
			name:   "a loss precedes silence",
			worsen: func(in *Instance) { in.ReportedAt += long; in.Presence = Vacant },
			want:   [Aspects]Cause{Lost, Lost, Lost},
		},
		{
			name:   "a goodbye precedes silence",
			worsen: func(in *Instance) { in.ReportedAt += long; in.Presence = SaidGoodbye },
			want:   [Aspects]Cause{Stopped, Stopped, Stopped},
		},
		{
			name:    "of two stalled landmarks the one reached longer ago",
			worsen:  func(in *Instance) { in.Landmarks[1].At += long },
			want:    [Aspects]Cause{Stalled, Stalled, None},
			because: "feed",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := instanceThatIs(Stalled)
			test.worsen(in)
			verdicts := Evaluate(DefaultPolicy, Service{Instances: []*Instance{in}}, testNow).Verdicts
			for a, v := range verdicts {
				if v.Cause != test.want[a] {
					t.Errorf("%s is %q, want %q", Aspect(a), v.Cause, test.want[a])
				}
			}
			if l := verdicts[Readiness].landmark; test.because != "" && (l == nil || l.Name != test.because) {
				t.Errorf("the cause of readiness comes from %+v, want %s", l, test.because)
			}
		})
	}
}
