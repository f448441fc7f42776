package checkers

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// near fails the test unless got differs from want by at most that part of it.
func near(t *testing.T, what string, got, want, part float64) {
	t.Helper()
	if math.Abs(got-want) > part*want {
		t.Errorf("%s is %v, want %v ± %v %%", what, got, want, 100*part)
	}
}

// TestRateOfRegularCheckers checks that the rate is exact from the second check
// on, until the next one is overdue.
func TestRateOfRegularCheckers(t *testing.T) {
	for _, perSecond := range []float64{1. / 60, 0.1, 0.5, 1, 2, 10, 100, 10_000} {
		gap := time.Duration(float64(time.Second) / perSecond)
		var p rateMeter
		for i := range 200 {
			now := time.Hour + time.Duration(i)*gap
			p.add(1, now)
			if i == 0 {
				if p.rate(now) != 0 {
					t.Errorf("after one check the rate is %v, want 0", p.rate(now))
				}
				continue
			}
			near(t, "right after a check, the rate", p.rate(now), perSecond, 1e-6)
			near(t, "right before the next check, the rate", p.rate(now+gap), perSecond, 1e-6)
		}
	}
}

func TestRateOfIrregularCheckers(t *testing.T) {
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
			p.add(1, now)
		}
		near(t, tt.name+": the rate", p.rate(now), tt.want, tt.part)
	}
}

func TestRateFollowsChanges(t *testing.T) {
	var p rateMeter
	var now time.Duration
	for range 100 {
		now += time.Second
		p.add(1, now)
	}
	for start := now; now < start+25*time.Second; {
		now += 100 * time.Millisecond
		p.add(1, now)
	}
	near(t, "after 25 s at ten times the rate, the rate", p.rate(now), 10, 0.1)

	last, before := now, p.rate(now)
	for range 1000 {
		now += time.Second
		if rate := p.rate(now); rate > before {
			t.Fatalf("the rate grows during a silence, from %v to %v", before, rate)
		} else {
			before = rate
		}
	}
	if p.rate(last+time.Minute) > 0.3 || p.rate(last+time.Hour) > 1e-4 {
		t.Errorf("after a minute of silence the rate is %v, after an hour %v", p.rate(last+time.Minute), p.rate(last+time.Hour))
	}
	near(t, "the usual rate", p.usualRate(), 10, 0.1)

	// After the silence, which does not count as a gap.
	now = last + 3*time.Hour
	for range 3 {
		now += 500 * time.Millisecond
		p.add(1, now)
	}
	near(t, "after a silence, the rate", p.rate(now), 2, 1e-6)
}

// TestRateTakesChecksOutOfOrder adds the times of two goroutines, which read the
// clock before they took the lock.
func TestRateTakesChecksOutOfOrder(t *testing.T) {
	var p rateMeter
	for _, ms := range []time.Duration{1000, 999, 1000, 1000} {
		p.add(1, ms*time.Millisecond)
	}
	if p.last != time.Second || p.total != 4 || p.rate(time.Second) > maxRate {
		t.Errorf("%+v, %v per second", p, p.rate(time.Second))
	}
}

// Checks that are added together count as if they were added one by one, also when the
// checker becomes steady with them, or is back from a silence.
func TestChecksAddedTogetherCountAsEach(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var together, each rateMeter
	var now time.Duration
	for i := range 10_000 {
		now += time.Duration(random.Int64N(int64(100 * time.Millisecond)))
		if i%1000 == 0 {
			now += time.Hour // long enough to begin anew, or to be silent
		}
		n, at := 1+random.IntN(20), now-time.Duration(random.Int64N(2)*int64(time.Millisecond))
		together.add(n, at)
		for range n {
			each.add(1, at)
		}
		if together != each {
			t.Fatalf("after %d times: got %+v, want %+v", i+1, together, each)
		}
	}
	if !each.steady {
		t.Error("the checker is not steady")
	}
}
