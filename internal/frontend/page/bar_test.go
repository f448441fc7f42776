package page

import (
	"math"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestFill(t *testing.T) {
	const second = time.Second
	high, low := judge.Limits{DegradeAt: 80, FailAt: 100}, judge.Limits{DegradeAt: 20, FailAt: 5}
	for _, tt := range []struct {
		name     string
		declared judge.Declared
		landmark judge.Landmark
		age      time.Duration
		want     float64
	}{
		{"an Alive", judge.Declared{Kind: judge.KindAlive, Within: 4 * second}, judge.Landmark{Reached: true}, second, 0.25},
		{"an Alive beyond its limit", judge.Declared{Kind: judge.KindAlive, Within: second}, judge.Landmark{Reached: true}, 3 * second, 3},
		{"an Alive far beyond its limit", judge.Declared{Kind: judge.KindAlive, Within: second}, judge.Landmark{Reached: true}, time.Hour, maxRatio},
		{"an Alive that was not reached", judge.Declared{Kind: judge.KindAlive, Within: second}, judge.Landmark{}, time.Hour, 0},
		{"an Alive that must be reached", judge.Declared{Kind: judge.KindAlive, Within: second, StartWithin: 4 * second}, judge.Landmark{}, 2 * second, 0.5},
		{"a Loop that answers", judge.Declared{Kind: judge.KindLoop, Within: second}, judge.Landmark{Reached: true, Lag: second / 4}, 9 * second, 0.25},
		{"a Loop that does not", judge.Declared{Kind: judge.KindLoop, Within: second}, judge.Landmark{Reached: true, Open: true}, second / 2, 0.5},
		{"a Deadline with open work", judge.Declared{Kind: judge.KindDeadline, Within: 4 * second}, judge.Landmark{Open: true}, second, 0.25},
		{"a Deadline without", judge.Declared{Kind: judge.KindDeadline, Within: 4 * second}, judge.Landmark{Reached: true}, time.Hour, 0},
		{"a Level", judge.Declared{Kind: judge.KindLevel, Limits: high}, judge.Landmark{Reached: true, Value: 25}, 0, 0.25},
		{"a Level that must not be low", judge.Declared{Kind: judge.KindLevel, Limits: low}, judge.Landmark{Reached: true, Value: 20}, 0, 0.25},
		{"a Level at its low limit", judge.Declared{Kind: judge.KindLevel, Limits: low}, judge.Landmark{Reached: true, Value: 5}, 0, 1},
		{"a Level that must not be 0", judge.Declared{Kind: judge.KindLevel, Limits: judge.Limits{DegradeAt: 10}}, judge.Landmark{Reached: true, Value: 30}, 0, 0.25},
		{"a Level that is 0", judge.Declared{Kind: judge.KindLevel, Limits: judge.Limits{DegradeAt: 10}}, judge.Landmark{Reached: true}, 0, 1},
		{"a Level that is no number", judge.Declared{Kind: judge.KindLevel, Limits: high}, judge.Landmark{Reached: true, Value: math.NaN()}, 0, 1},
		{"a Level that is infinite", judge.Declared{Kind: judge.KindLevel, Limits: high}, judge.Landmark{Reached: true, Value: math.Inf(1)}, 0, maxRatio},
		{"a Condition", judge.Declared{Kind: judge.KindCondition}, judge.Landmark{Reached: true, Met: true}, time.Hour, 0},
		{"a Condition for a time", judge.Declared{Kind: judge.KindCondition, TTL: 4 * second}, judge.Landmark{Reached: true, Met: true}, second, 0.25},
		{"a Condition that does not hold", judge.Declared{Kind: judge.KindCondition}, judge.Landmark{Reached: true}, 0, 1},
	} {
		tt.landmark.Declared = &tt.declared
		r := registry.Landmark{LandmarkState: judge.LandmarkState{Landmark: &tt.landmark}, Age: tt.age}
		if got := fraction(&r); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		if bars := barsOf([]registry.Landmark{r}); len(bars) != 1 {
			t.Errorf("%s: got the bars %q, want one", tt.name, bars)
		}
	}
}

func TestBars(t *testing.T) {
	of := func(state judge.State, share float64) registry.Landmark {
		d := &judge.Declared{Kind: judge.KindLevel, Limits: judge.Limits{DegradeAt: 1, FailAt: 100}}
		return registry.Landmark{LandmarkState: judge.LandmarkState{Landmark: &judge.Landmark{Declared: d, Reached: true, Value: 100 * share}, State: state}}
	}
	if got, want := barsOf([]registry.Landmark{of(judge.Failing, 7), of(judge.Degraded, 1), of(judge.OK, 0.5), of(judge.Unarmed, 0)}), "_vXA"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
