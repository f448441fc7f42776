package checkers

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// near fails the test unless got is want, give or take a part of it.
func near(t *testing.T, what string, got, want, part float64) {
	t.Helper()
	if math.Abs(got-want) > part*want {
		t.Errorf("%s is %v, want %v ± %v %%", what, got, want, 100*part)
	}
}

// TestRateOfRegularCheckers holds that the rate is exact, from the second
// question on and until the next is overdue.
func TestRateOfRegularCheckers(t *testing.T) {
	for _, perSecond := range []float64{1. / 60, 0.1, 0.5, 1, 2, 10, 100, 10_000} {
		gap := time.Duration(float64(time.Second) / perSecond)
		var p rateMeter
		for i := range 200 {
			now := time.Hour + time.Duration(i)*gap
			p.add(now)
			if i == 0 {
				if p.rate(now) != 0 {
					t.Errorf("after one question the rate is %v", p.rate(now))
				}
				continue
			}
			near(t, "just asked, the rate", p.rate(now), perSecond, 1e-6)
			near(t, "about to ask, the rate", p.rate(now+gap), perSecond, 1e-6)
		}
	}
}

func TestRateOfOthers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, tt := range []struct {
		name string
		gap  func(i int) time.Duration
		want float64
		part float64
	}{
		{"two virtual servers' checks", func(i int) time.Duration { return time.Duration(i%2) * time.Second }, 2, 0.06},
		{"ten checks at once, each minute", func(i int) time.Duration { return time.Duration((i%10)/9) * time.Minute }, 1. / 6, 0.11},
		{"random, 1,000 a second", func(int) time.Duration { return time.Duration(random.ExpFloat64() * 1e6) }, 1000, 0.03},
		{"random, 10 a second", func(int) time.Duration { return time.Duration(random.ExpFloat64() * 1e8) }, 10, 0.25},
	} {
		var p rateMeter
		var now time.Duration
		for i := range 30_000 {
			now += tt.gap(i)
			p.add(now)
		}
		near(t, tt.name+": the rate", p.rate(now), tt.want, tt.part)
	}
}

func TestRateFollows(t *testing.T) {
	var p rateMeter
	var now time.Duration
	for range 100 {
		now += time.Second
		p.add(now)
	}
	for begun := now; now < begun+25*time.Second; {
		now += 100 * time.Millisecond
		p.add(now)
	}
	near(t, "after ten times the pace for 25 s, the rate", p.rate(now), 10, 0.1)

	asked, before := now, p.rate(now)
	for range 1000 {
		now += time.Second
		if rate := p.rate(now); rate > before {
			t.Fatalf("the rate grows in silence, from %v to %v", before, rate)
		} else {
			before = rate
		}
	}
	if p.rate(asked+time.Minute) > 0.3 || p.rate(asked+time.Hour) > 1e-4 {
		t.Errorf("after a minute of silence the rate is %v, after an hour %v", p.rate(asked+time.Minute), p.rate(asked+time.Hour))
	}
	near(t, "the rate that it had", p.usualRate(), 10, 0.1)

	// It is back, and the silence is not taken for a gap.
	now = asked + 3*time.Hour
	for range 3 {
		now += 500 * time.Millisecond
		p.add(now)
	}
	near(t, "back from a silence, the rate", p.rate(now), 2, 1e-6)
}

// TestPaceTakesQuestionsOutOfOrder is two goroutines' time, taken before the
// lock.
func TestPaceTakesQuestionsOutOfOrder(t *testing.T) {
	var p rateMeter
	for _, ms := range []time.Duration{1000, 999, 1000, 1000} {
		p.add(ms * time.Millisecond)
	}
	if p.last != time.Second || p.total != 4 || p.rate(time.Second) > maxRate {
		t.Errorf("%+v, %v a second", p, p.rate(time.Second))
	}
}
