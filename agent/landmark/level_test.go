package landmark

import (
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLevelReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		l := s.Level("l", Above(10, 20))
		read := func(what string, want Reading) {
			t.Helper()
			if diff := cmp.Diff(want, s.Landmarks()[0].Read(time.Now())); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		time.Sleep(time.Minute)
		read("never set", Reading{Age: time.Minute})
		l.Set(0)
		read("set to 0", Reading{Reached: true, Count: 1})
		time.Sleep(time.Hour)
		read("not set for an hour", Reading{Reached: true, Age: time.Hour, Count: 1})
		l.Set(-3.5)
		l.Set(12.25)
		read("set twice", Reading{Reached: true, Count: 3, Value: 12.25})
	})
}

// A number that is none must not look like a good one, nor break a report.
func TestLevelHidesNoFailure(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for limits, want := range map[Limits]float64{
			Above(10, 20):   math.MaxFloat64,
			Above(-20, -10): math.MaxFloat64,
			Below(20, 10):   -math.MaxFloat64,
			Below(-1, -1):   -math.MaxFloat64,
		} {
			var s Set
			s.Level("l", limits).Set(bad)
			if r := s.Landmarks()[0].Read(time.Now()); r.Value != want {
				t.Errorf("%v of %+v is recorded as %v, want %v", bad, limits, r.Value, want)
			}
		}
	}
}

func TestLimitsCrossed(t *testing.T) {
	tests := []struct {
		limits   Limits
		from, to float64
		want     bool
	}{
		{Above(10, 20), 0, 10, false},
		{Above(10, 20), 10, 10.5, true},
		{Above(10, 20), 10.5, 19, false},
		{Above(10, 20), 19, 20, true},
		{Above(10, 20), 20, 1000, false},
		{Above(10, 20), 1000, -1000, true},
		{Above(10, 10), 9, 10, true},
		{Above(10, 10), 10, 11, false},
		{Below(20, 10), 1000, 20, false},
		{Below(20, 10), 20, 19, true},
		{Below(20, 10), 19, 10.5, false},
		{Below(20, 10), 10.5, 10, true},
		{Below(20, 10), 10, -1000, false},
		{Below(10, 10), 11, 10, true},
		{Limits{}, 0, 0, false}, // of the landmarks of other kinds
	}
	for _, tt := range tests {
		if got := tt.limits.Crossed(tt.from, tt.to); got != tt.want {
			t.Errorf("%+v: Crossed(%v, %v) = %t", tt.limits, tt.from, tt.to, got)
		}
		if got := tt.limits.Crossed(tt.to, tt.from); got != tt.want {
			t.Errorf("%+v: Crossed(%v, %v) = %t", tt.limits, tt.to, tt.from, got)
		}
	}
}

func TestLevelAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		answers := make(chan float64)
		calls := 0
		s.Level("l", Above(10, 20), Asked(func() float64 { calls++; return <-answers }))
		carrier := s.Landmarks()[0]
		if every, ok := carrier.AskEvery(); every != 0 || !ok {
			t.Errorf("AskEvery() = %v, %t, want 0, true", every, ok)
		}
		go carrier.Ask(t.Context())
		synctest.Wait()
		carrier.Ask(t.Context()) // must not wait for the call that goes on
		if calls != 1 {
			t.Errorf("%d calls at a time", calls)
		}
		answers <- 7
		synctest.Wait()
		go carrier.Ask(t.Context()) // blocks for an hour
		carrier.Read(time.Now())
		time.Sleep(time.Hour)
		want := Reading{Reached: true, Age: time.Hour, Count: 1, Value: 7}
		if diff := cmp.Diff(want, carrier.Read(time.Now())); diff != "" {
			t.Errorf("a call blocks (-want +got):\n%s", diff)
		}
		answers <- 8
		synctest.Wait()
		if r := carrier.Read(time.Now()); r.Value != 8 || r.Age != 0 {
			t.Errorf("answered after an hour: %+v", r)
		}
	})
}

func TestLevelSetAllocatesNothing(t *testing.T) {
	var s Set
	l := s.Level("l", Above(10, 20))
	_, stop := s.Watch()
	defer stop()
	var none *Level
	n := 0.0
	for name, set := range map[string]func(){
		"good":     func() { l.Set(1) },
		"crossing": func() { n = 30 - n; l.Set(n) },
		"nil":      func() { none.Set(1) },
	} {
		if n := testing.AllocsPerRun(100, set); n != 0 {
			t.Errorf("Set %s: %v allocations", name, n)
		}
	}
}

// BenchmarkLevelSet compares Set with an atomic addition.
func BenchmarkLevelSet(b *testing.B) {
	b.Run("atomic", func(b *testing.B) {
		var n atomic.Uint64
		for b.Loop() {
			n.Add(1)
		}
	})
	b.Run("set", func(b *testing.B) {
		var s Set
		l := s.Level("l", Above(10, 20))
		for b.Loop() {
			l.Set(7)
		}
	})
}
